from __future__ import annotations

import pytest
from pydantic import ValidationError

from evals.config import EvalResources
from rl_core.addresses import holds_secret
from rl_core.config import Resources


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("http://localhost:8000/v1", False),
        ("postgresql://r1flow@postgres/mlflow", False),  # a name alone
        ("postgresql://postgres/mlflow?user=r1flow&sslmode=require", False),
        ("sqlite:////tmp/a@b:c.db", False),
        ("127.0.0.1:6379", False),
        ("http://[::1", False),  # none at all
        ("http://me:secret@host/v1", True),
        ("https://sk-token@host/v1", True),
        ("https://host/v1?api_key=sk-1", True),
        ("https://host/v1?API_KEY=sk-1", True),
        ("postgresql://me:secret@host/mlflow", True),
        ("postgresql://host/mlflow?user=me&password=secret", True),
    ],
)
def test_what_must_not_be_shown(address: str, secret: bool) -> None:
    assert holds_secret(address) == secret


@pytest.mark.parametrize(
    ("settings", "key", "instead"), [(EvalResources, "base_url", "OPENAI_API_KEY"), (Resources, "cluster", "RAY_AUTH_TOKEN")]
)
def test_addresses_of_a_recipe_hold_none_and_the_error_does_not_show_it(settings: type[Resources], key: str, instead: str) -> None:
    with pytest.raises(ValidationError, match=instead) as error:
        settings.model_validate({key: "http://me:geheimnis@host"})
    assert "geheimnis" not in error.value.errors(include_input=False)[0]["msg"]
