"""MLflow: one run per experiment run, one child run per stage."""
