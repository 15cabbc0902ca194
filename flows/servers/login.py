"""The login that servers beyond loopback ask for: one user and password, in the environment."""

import os
import re

from rl_core.errors import InputError

AUTH = "R1FLOW_AUTH"  # user:password
PASSWORD = 12  # characters: MLflow's own minimum


def login() -> str | None:
    """What R1FLOW_AUTH holds, None where it is not set. Raises InputError if it is no user:password, or the password is too short."""
    auth = os.environ.get(AUTH) or None
    if auth and not re.fullmatch(rf"[^:\s]+:\S{{{PASSWORD},}}", auth):
        raise InputError(f"{AUTH} is not user:password with a password of at least {PASSWORD} characters")
    return auth


def use_login() -> None:
    """Give the login to the clients of Prefect and MLflow, which read variables of their own; those that are set are left alone."""
    if auth := login():
        user, _, password = auth.partition(":")
        names = ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
        for name, value in zip(names, (auth, user, password), strict=True):
            os.environ.setdefault(name, value)
