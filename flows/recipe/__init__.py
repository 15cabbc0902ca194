"""Recipes: schema, loading, errors that explain, the smoke profile."""
