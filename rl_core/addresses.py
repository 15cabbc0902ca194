"""Addresses and errors that are kept in records and shown on pages: none may hold a password, a token or a key."""

import os
import re
from urllib.parse import unquote, urlsplit

_TOKEN = r"(?:access|api|auth|bearer|hf|id|refresh|security|session)?[_-]?token"
_KEY = r"(?:access|api|private|secret|subscription)?[_-]?key"
_CALLED = rf"\w*(?:password|passwd|pwd|secret|credential|signature)\w*|{_TOKEN}|{_KEY}|jwt|sig"
_SECRET = re.compile(rf"(?<!\w)({_CALLED}|auth)=", re.IGNORECASE)  # as a query or a connection string gives one
_HIDDEN = (  # what is not shown of a text, and what is shown instead
    (re.compile(r"([a-z][a-z0-9+.-]*:/{1,3})\S*(@|%40)(?=[^\s@])", re.IGNORECASE), r"\1***\2"),
    (re.compile(rf"(?<!\w)((?:{_CALLED})=)[^\s&;'\"]+", re.IGNORECASE), r"\1***"),
)
_VARIABLE = re.compile(r"(PASSWORD|TOKEN|API_KEY|SECRET|SECRET_KEY|_AUTH|AUTH_STRING)$")
DATABASES = ("postgres", "mysql", "mariadb", "mssql", "oracle", "sqlite")
SHORTEST = 8  # characters of a secret in the environment: shorter ones may be ordinary words


def holds_secret(address: str) -> bool:
    """Whether an address holds a password or a key, or may: only a database's has the name of a user, and a query.

    It need not be a right one: whatever is said of a wrong one would show its secret, too.
    """
    plain = unquote(address)
    scheme, found, rest = plain.partition("://")
    if not found:
        scheme, rest = "", plain
    if rest.startswith(("/", ".", "sqlite:")) and not scheme.lower().startswith("http"):  # a file, whose name may have any characters
        return bool(_SECRET.search(rest.partition("?")[2]))
    login, at, _ = rest.rpartition("@")
    if scheme.lower().startswith(DATABASES):
        return ":" in login or bool(_SECRET.search(rest))
    return bool(at) or "?" in rest or "#" in rest


def names_secret(variable: str) -> bool:
    """Whether a variable of the environment is called like a secret."""
    return bool(_VARIABLE.search(variable))


def is_web_address(address: str) -> bool:
    """Whether it is that of a web server: a scheme, a name, and where there is a port, a number."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def without_secrets(text: str) -> str:
    """A text for people and records: logins of addresses, values that are called like a secret, and the environment's, are hidden."""
    for name, value in os.environ.items():
        if not _VARIABLE.search(name):
            continue
        for secret in (value, value.partition(":")[2]):  # `user:password`
            if len(secret) >= SHORTEST:
                text = text.replace(secret, "***")
    for secret_part, instead in _HIDDEN:
        text = secret_part.sub(instead, text)
    return text
