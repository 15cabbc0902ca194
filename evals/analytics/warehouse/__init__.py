"""The tables of the DuckDB warehouse and how they are filled."""
