"""The words of access: what a handler asks of its caller, who the caller is, and the name that goes into an audit.

A scope is `<service>:<action>`, the action one of read, write, delete, admin. It stands beside its route:
`@get("/api/items", opt=scoped("workspace:read"))`. On this machine a caller without a key may do what is not marked
`always`; a caller with a key may do what the key's scopes cover, wherever it comes from.
"""

import ipaddress
import re
from typing import Any, Literal

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from msgspec import Struct

OPEN = {"access": "open"}  # handler `opt`: answers anybody, for what holds no data (health, pages, scripts)
# The port behind decides, under the caller's own key: here a key is only checked to be one.
FORWARDED = {"access": "forwarded"}
# Pages of others that browsers load without a header of ours: HTTP Basic with the key as password, then a session.
BROWSER = {"access": "browser"}
KNOWN = {"access": "known", "always": True}  # whoever has a key or a token, whatever it may do
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ACTIONS = ("read", "write", "delete", "admin")
EVERYTHING = "*:*"
SCOPE = re.compile(rf"^([a-z][a-z0-9-]*|\*):({'|'.join(ACTIONS)}|\*)$")
# What costs money or gives rights is never meant by a star before the colon, apart from reading orders and risk.
NAMED_ALONE = frozenset({"orders", "risk", "access"})
ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({"*:read"}),
    "operator": frozenset({"*:read", "*:write", "*:delete", "batch:admin", "orders:delete", "risk:write"}),
    "trader": frozenset({"*:read", "*:write", "orders:*", "risk:write"}),
    "admin": frozenset({EVERYTHING}),
}
PROPOSING = ("agent", "telegram")  # sources that propose, and never order
BOUND = (*PROPOSING, "strategy", "scheduler")  # sources that a key can be bound to; none of them has a person's rights

Kind = Literal["installation", "key", "person"]


def covers(scopes: frozenset[str], scope: str) -> bool:
    """Whether `scopes` give `scope`; `*` stands for every action, or for every service but those named alone."""
    service, _, action = scope.partition(":")
    if scope in scopes or f"{service}:*" in scopes or EVERYTHING in scopes:
        return True
    starred = service not in NAMED_ALONE or (action == "read" and service != "access")
    return starred and f"*:{action}" in scopes


def denied(source: str | None, scope: str) -> bool:
    """Whether `scope` is beyond a key bound to `source`, whatever scopes the key was given."""
    service, _, action = scope.partition(":")
    if source not in BOUND:
        return source is not None
    return action in ("admin", "*") or service == "access" or (source in PROPOSING and scope == "orders:write")


class Caller(Struct, frozen=True, kw_only=True):
    """Who came in with a key or a token. `source` binds a key: it never speaks as anything with more rights."""

    name: str
    kind: Kind = "key"
    id: str = ""
    scopes: frozenset[str] = frozenset()
    source: str | None = None

    def may(self, scope: str) -> bool:
        """Whether the scopes cover `scope` and the source allows it."""
        return covers(self.scopes, scope) and not denied(self.source, scope)


INSTALLATION = Caller(name="admin", kind="installation", scopes=frozenset({EVERYTHING}))


def scoped(scope: str, *, always: bool = False) -> dict[str, Any]:
    """Handler `opt`: callers with a key need `scope`; with `always` nobody comes in without one, not even from here.

    Raises ValueError for a scope of another form, when the handler is declared.
    """
    if not SCOPE.match(scope) or "*" in scope:
        raise ValueError(f"expected <service>:<{'|'.join(ACTIONS)}>, found {scope!r}")
    return {"scope": scope, "always": always}


def caller_in(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller | None:
    """The caller whom the gate let in; None for one without a key."""
    found: Caller | None = connection.scope.get("auth")
    return found


def actor(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The name for an audit: the key's or the person's, else what `x-user-id` says on this machine, else `anonymous`.

    The installation's own key names nobody, so on this machine `x-user-id` says who used it.
    """
    caller = caller_in(connection)
    if caller is not None and caller.kind != "installation":
        return caller.name
    here = connection.client is not None and connection.client.host in LOOPBACK
    told = (connection.headers.get("x-user-id") or "").strip()[:64] if here else ""
    return told or (caller.name if caller is not None else "anonymous")


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The caller's IP address, for an audit; None where the connection tells none."""
    try:
        return str(ipaddress.ip_address(connection.client.host)) if connection.client else None
    except ValueError:
        return None


def source_of(caller: Caller | None, told: str | None) -> str | None:
    """The source that a request speaks as: what binds its key, else what it says of itself.

    Raises PermissionDeniedException for a bound key that says something else: a header never gives rights.
    """
    bound = caller.source if caller is not None else None
    if bound is not None and told not in (None, bound):
        raise PermissionDeniedException(f"this key speaks as {bound}, not as {told}")
    return bound or told
