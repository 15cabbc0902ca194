"""Judging checkpoints and reading their minds; knows no Prefect or MLflow."""
