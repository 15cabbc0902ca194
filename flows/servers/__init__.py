"""The servers of a workspace: Prefect, MLflow, and the process that runs scheduled recipes."""
