"""Headers on their way in and out as ASGI carries them: all requests pass here, and an object for each costs more."""

from collections.abc import Mapping
from typing import Any

Pairs = tuple[tuple[bytes, bytes], ...]


def pairs_of(headers: Mapping[str, str]) -> Pairs:
    """The headers as bytes, their names in lower case."""
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


def put(message: Any, pairs: Pairs) -> None:
    """Set headers of a `http.response.start`; those of the same names give way."""
    names = [name for name, _ in pairs]
    message["headers"] = [*(pair for pair in message.get("headers", ()) if pair[0].lower() not in names), *pairs]


def fill(message: Any, pairs: Pairs) -> None:
    """Add headers to a `http.response.start` where there are none of the same names."""
    held = list(message.get("headers", ()))
    names = {name.lower() for name, _ in held}
    message["headers"] = [*held, *(pair for pair in pairs if pair[0] not in names)]


def sent(scope: Any, names: frozenset[bytes]) -> dict[bytes, str]:
    """The first header of each of these names, which are in lower case; those that are not there are left out."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in names and name not in found:
            found[name] = str(value, "latin-1")
    return found


def first(scope: Any, name: bytes) -> str | None:
    """The first header of that name, which is in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None
