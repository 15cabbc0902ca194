"""Responses in files of other frameworks."""
