"""Figures of a warehouse."""
