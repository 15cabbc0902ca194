"""A model that is asked whether an answer is right."""
