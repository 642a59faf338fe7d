"""How a setting says which environment variables set it."""

from typing import Any

from msgspec import Meta


def env(*names: str) -> Any:
    """Meta that says which variables set a field; the first one that is set wins."""
    return Meta(extra={"env": names})
