from __future__ import annotations

import pytest
from pydantic import ValidationError

from evals.config import EvalResources
from rl_core.addresses import holds_secret, without_secrets
from rl_core.config.resources import Resources
from rl_core.errors import InputError


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
        ("ray://host:10001", False),
        ("auto", False),
        ("/home/me@work:1/mlruns", False),
        ("file:///home/me@work:1/mlruns", False),
        ("mysql+pymysql://me@host/mlflow?charset=utf8&ssl_key=/a/b", False),
        ("https://host/v1#sk-1", True),
        ("https://host/v1?sk-1", True),
        ("http://me:se/cret@host", True),  # the name of the server ends at the first slash
        ("http://me:secret@[::1", True),
        ("me:secret@host:6379", True),
        ("http://me%3Asecret%40host", True),
        ("postgresql://me:se#cret@host/mlflow", True),
        ("postgresql://host/mlflow?p%61ssword=secret", True),
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:geheimnis@host:1/v1: refused", "http://***@host:1/v1: refused"),
        ("for url 'http://me:a/geheimnis@host/x'", "for url 'http://***@host/x'"),
        ("http://me%3Ageheimnis%40host", "http://***%40host"),
        ("http:/me:geheimnis@host: no such file", "http:/***@host: no such file"),  # as a path
        ("https://host/v1?api_key=geheimnis&x=1", "https://host/v1?api_key=***&x=1"),
        ("host=h password=geheimnis dbname=d", "host=h password=*** dbname=d"),
        ("Bearer sk-geheimnis was refused", "Bearer *** was refused"),
        ("user geheimnis-zwei", "user ***"),
        # What is none stays as it is.
        ("http://host/a and me@host", "http://host/a and me@host"),
        ("set R1FLOW_AUTH=user:password", "set R1FLOW_AUTH=user:password"),
        ("RAY_AUTH_MODE=token, pad_token=5, prompt_key=3, avg@4", "RAY_AUTH_MODE=token, pad_token=5, prompt_key=3, avg@4"),
        ("short", "short"),
    ],
)
def test_texts_show_none(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-geheimnis")
    monkeypatch.setenv("MLFLOW_AUTH_STRING", "me:geheimnis-zwei")
    monkeypatch.setenv("OTHER_TOKEN", "short")
    assert without_secrets(text) == shown
    assert str(InputError(text)) == shown
