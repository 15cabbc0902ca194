"""The DuckDB warehouse over every response, keywords, figures and the HTML report."""
