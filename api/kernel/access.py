"""The words of access: what a handler asks of its caller, who the caller is, and the name that goes into an audit.

A scope is `<service>:<action>`, the action one of read, write, delete, admin. It stands beside its route:
`@get("/api/items", opt=scoped("workspace:read"))`. On this machine a caller without a key may do what is not marked
`always`; a caller with a key may do what the key's scopes cover, wherever it comes from.
"""

import ipaddress
import re
from typing import Any, Literal

from litestar.connection import ASGIConnection
from msgspec import Struct

OPEN = {"access": "open"}  # handler `opt`: answers anybody, for what holds no data (health, pages, scripts)
# The port behind decides, under the caller's own key: here a key is only checked to be one.
FORWARDED = {"access": "forwarded"}
# Pages of others that browsers load without a header of ours: HTTP Basic with the key as password, then a session.
BROWSER = {"access": "browser"}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ACTIONS = ("read", "write", "delete", "admin")
EVERYTHING = "*:*"
SCOPE = re.compile(rf"^([a-z][a-z0-9-]*|\*):({'|'.join(ACTIONS)}|\*)$")

Kind = Literal["installation", "key", "person"]


class Caller(Struct, frozen=True, kw_only=True):
    """Who came in with a key or a token. `source` binds a key: it never speaks as anything with more rights."""

    name: str
    kind: Kind = "key"
    id: str = ""
    scopes: frozenset[str] = frozenset()
    source: str | None = None

    def may(self, scope: str) -> bool:
        """Whether the scopes cover `scope`; `*` stands for every service, or for every action."""
        service, _, action = scope.partition(":")
        return not self.scopes.isdisjoint({scope, f"{service}:*", f"*:{action}", EVERYTHING})


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
