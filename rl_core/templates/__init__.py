"""Prompt templates: how a question becomes the text that a model continues."""
