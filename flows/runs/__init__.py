"""Runs: their record, what is shown of them, their status, resuming, verification."""
