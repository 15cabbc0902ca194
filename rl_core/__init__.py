"""Reinforcement learning for language models; knows no Prefect, MLflow or DuckDB."""
