"""Sessions of browsers: a cookie that says until when its holder is let in, signed with the installation's key.

Nothing is stored, so a session outlives restarts; another key ends all of them.
"""

import hashlib
import hmac
import time
from http.cookies import CookieError, SimpleCookie

NAME = "tradingsystem-session"
SECONDS = 12 * 3600


def cookie(key: str, path: str, *, now: float | None = None) -> str:
    """The `Set-Cookie` header of a session below `path`: no script reads it, and no foreign page rides on it."""
    expires = str(int((time.time() if now is None else now) + SECONDS))
    return f"{NAME}={expires}.{_signed(key, expires)}; Path={path}; Max-Age={SECONDS}; HttpOnly; SameSite=Strict"


def holds(header: str, key: str, *, now: float | None = None) -> bool:
    """Whether a `Cookie` header brings a session that `key` signed and that is not over."""
    try:
        found = SimpleCookie(header).get(NAME)
    except CookieError:
        return False
    expires, _, signature = found.value.partition(".") if found else ("", "", "")
    if not hmac.compare_digest(signature.encode(), _signed(key, expires).encode()):
        return False
    return expires.isdecimal() and int(expires) > (time.time() if now is None else now)


def _signed(key: str, expires: str) -> str:
    return hmac.new(key.encode(), f"session until {expires}".encode(), hashlib.sha256).hexdigest()
