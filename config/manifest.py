"""The services of the platform, as `services-manifest.json` lists them: launcher, gateway and status pages read it."""

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

FILE = Path(__file__).with_name("services-manifest.json")


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry: where a service lives, how it is started and asked for its health, and what it needs first."""

    id: str
    title: str
    type: Literal["backend", "frontend", "docs", "infra", "external"]
    path: str
    port: int | None
    port_variables: list[str]
    start: str | None
    build: str | None
    test: str | None
    env: str | None
    workspace: bool
    managed: Literal["internal", "external"]
    health: str | None
    needs: list[str]
    served_by: str | None  # the service whose process answers on this port too


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    services: list[Service]


@cache
def services() -> tuple[Service, ...]:
    """All services, in the order of the file."""
    return tuple(msgspec.json.decode(FILE.read_bytes(), type=Manifest).services)


def service(service_id: str) -> Service:
    """The service called `service_id`. Raises KeyError that lists the known ids."""
    for entry in services():
        if entry.id == service_id:
            return entry
    raise KeyError(f"no service {service_id!r} in {FILE.name}; there are: {', '.join(s.id for s in services())}")
