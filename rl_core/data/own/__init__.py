"""A user's own problems: where they are, which columns matter, which rows count."""
