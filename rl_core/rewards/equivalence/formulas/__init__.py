"""Formulas: read into trees, and calculated as far as it takes to compare them."""
