"""Sessions of browsers: a cookie that says who came in and until when, signed with the installation's key.

Whether its holder still may come in is looked up like a key's or a token's. Another installation key ends all sessions.
What changes something needs `X-CSRF-Token` beside the cookie, except where only pages of others are loaded.
"""

import hashlib
import hmac
import time
from collections.abc import Iterator

from api.kernel.access import Caller

NAME = "tradingsystem-session"
SECONDS = 12 * 3600
CSRF_HEADER = "x-csrf-token"
INSTALLATION = "admin"  # subject of the installation's own key; others are `key.<id>` and `person.<session>`


def cookie(key: str, path: str, subject: str, *, secure: bool = False, now: float | None = None) -> str:
    """The `Set-Cookie` header of a session below `path`: no script reads it, and no foreign page rides on it."""
    said = f"{int((time.time() if now is None else now) + SECONDS)}.{subject}"
    only = "; Secure" if secure else ""
    value = f"{said}.{_signed(key, f'session {said} at {path}')}"
    return f"{NAME}={value}; Path={path}; Max-Age={SECONDS}; HttpOnly; SameSite=Strict{only}"


def subject_for(caller: Caller) -> str:
    """The subject of a caller's session."""
    return INSTALLATION if caller.kind == "installation" else f"{caller.kind}.{caller.id}"


def forgotten(path: str) -> str:
    """The `Set-Cookie` header that ends a session in the browser."""
    return f"{NAME}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Strict"


def subject_of(header: str, key: str, path: str, *, now: float | None = None) -> str | None:
    """Whom a `Cookie` header names in a session that `key` signed for `path` and that is not over.

    A session holds everywhere, or below one first part of a path. Of several the first counts.
    """
    places = ("/", "/" + path.strip("/").partition("/")[0])
    for value in _values(header):
        said, _, signature = value.rpartition(".")
        expires, _, subject = said.partition(".")
        signatures = [_signed(key, f"session {said} at {place}") for place in places]
        good = any(hmac.compare_digest(signature.encode(), each.encode()) for each in signatures)
        if good and expires.isdecimal() and int(expires) > (time.time() if now is None else now):
            return subject
    return None


def csrf_token(key: str, subject: str) -> str:
    """What a page of the session must send to change something; nobody can know it from the cookie alone."""
    return _signed(key, f"page of {subject}")


def csrf_holds(key: str, subject: str, told: str) -> bool:
    """Whether a page sent the token of its session."""
    return hmac.compare_digest(told.encode(), csrf_token(key, subject).encode())


def _values(header: str) -> Iterator[str]:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == NAME:
            yield value.strip('"')


def _signed(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
