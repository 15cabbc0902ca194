"""Prompt sets, their sources and the templates that turn a question into a prompt."""
