"""The workspace's service as it is delivered: access, limits, telemetry and logs included."""

from api.kernel.application import create_app
from api.kernel.logs import configure
from api.workspace.service import ID, workspace
from config.settings import load

settings = load()
configure(settings, ID)
app = create_app(settings, workspace(settings))
