"""Addresses that are kept in records and shown on pages."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

SECRETS = {"password", "passwd", "pwd", "sslpassword", "token", "access_token", "api_key", "apikey", "key", "secret"}  # in a query


def holds_secret(address: str) -> bool:
    """Whether an address has a password in it, a login in front of a web server's name, or a query that is called like one."""
    try:
        parts = urlsplit(address)
        user, password = parts.username, parts.password
    except ValueError:  # no address at all, which whoever uses it will say
        return False
    of_web = parts.scheme in ("http", "https")  # where a name alone before the @ may be a token
    return password is not None or (of_web and user is not None) or any(name.lower() in SECRETS for name, _ in parse_qsl(parts.query))
