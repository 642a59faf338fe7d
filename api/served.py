"""The services whose ports this process answers on; each is also on the gateway."""

from api.kernel.application import Service
from api.workspace.service import workspace
from config.settings import Settings


def services(settings: Settings) -> list[Service]:
    """All of them, in the manifest's order. Opens nothing."""
    return [workspace(settings)]
