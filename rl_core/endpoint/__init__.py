"""Endpoints that speak OpenAI's protocol."""
