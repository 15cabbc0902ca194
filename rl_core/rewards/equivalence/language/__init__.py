"""What words, units and phrases around an answer say of it."""
