"""What a person runs: recipes, the plan, the Prefect flow, the command line."""
