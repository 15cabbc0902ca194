"""Evaluates checkpoints and analyses their responses; imports no Prefect or MLflow."""
