"""Asks the gateway in the installation's name: what is changed from the command line is checked and told as by HTTP."""

from pathlib import Path
from typing import Any

import httpx

from launcher.cli import settings_for
from launcher.errors import LauncherError, UsageError

SECONDS = 20.0


def asked(data: Path | None, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The gateway's answer. Raises UsageError for what it cannot use, LauncherError when it refuses or is not there."""
    settings = settings_for(data)
    if settings.access.api_key is None:
        raise UsageError("there is no installation key yet: `tradingsystem up` makes one on its first start")
    url = settings.url("api-gateway")
    headers = {"X-API-Key": settings.access.api_key}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=SECONDS, trust_env=False) as client:
            answer = client.request(method, path, json=body)
    except httpx.TransportError as error:
        raise LauncherError(f"nothing answers at {url}: start it with `tradingsystem up`") from error
    if answer.is_success:
        found: dict[str, Any] = answer.json()
        return found
    why = _why(answer)
    raise UsageError(why) if answer.status_code in (400, 404, 409) else LauncherError(why)


def _why(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError):
        return f"{answer.url} answered HTTP {answer.status_code}"
