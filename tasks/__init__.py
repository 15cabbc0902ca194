"""One Prefect task per stage kind; the only package that knows Prefect and MLflow."""
