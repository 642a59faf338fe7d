"""How the relay stands, as a message."""

import time
from collections.abc import Callable, Mapping

from sql.messages import Check, Health


def health_of(service: str, checks: Mapping[str, Callable[[], bool | str]]) -> Health:
    """What holds now. A check must not block; it gives True, or False or in words what is wrong."""
    now = int(time.time() * 1000)
    found = {name: check() for name, check in checks.items()}
    told = {name: _check(name, result, now) for name, result in found.items()}
    return Health(service, "ok" if all(result is True for result in found.values()) else "degraded", told, now)


def _check(name: str, found: bool | str, now: int) -> Check:
    if found is True:
        return Check("pass", "ok", now)
    return Check("fail", found or f"{name} is not well", now)
