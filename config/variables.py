"""What every setting is made of: which environment variables set it, what it may be, the error when it is not."""

from typing import Annotated, Any

from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0)]


class SettingsError(Exception):
    """Configuration that cannot be used. The message names the setting, what was expected and what was found."""


def env(*names: str) -> Any:
    """Meta that says which variables set a field; the first one that is set wins."""
    return Meta(extra={"env": names})
