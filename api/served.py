"""What this process is made of: the gateway, and the services behind it, each with a port of its own."""

from api.documentation.service import documentation
from api.gateway import ID, PREFIXES, gateway
from api.hub.service import docs_hub
from api.kernel.application import Service
from api.kernel.openapi import complete
from api.kernel.ports import Ports, process
from api.market.service import market_data
from api.scrape import firecrawl_proxy
from api.tp_capital.service import tp_capital
from api.workspace.service import workspace
from config.settings import Settings
from sql import stores
from sql.tape import Tape


def services(settings: Settings) -> list[Service]:
    """All services behind the gateway, in the manifest's order. Opens nothing."""
    hot = stores.hot(settings, reader=True)
    return [
        workspace(settings),
        documentation(settings),
        tp_capital(settings),
        docs_hub(settings),
        market_data(settings, hot),
        firecrawl_proxy(settings),
    ]


def whole(settings: Settings) -> tuple[Ports, list[str]]:
    """The application of the process, and the services whose ports it wants. Opens nothing."""
    behind = services(settings)
    app = process(settings, gateway(settings, tape_of(settings), behind), behind, PREFIXES)
    return app, [ID, *(service.id for service in behind)]


def tape_of(settings: Settings) -> Tape:
    """The tape as the least privileged roles see it: this process reads and can do nothing else. Opens nothing."""
    return Tape(stores.hot(settings, reader=True), stores.warm(settings, reader=True), stores.cold(settings))


def documents(settings: Settings) -> dict[str, dict[str, object]]:
    """The OpenAPI document of every port of the process: service -> document. Opens nothing."""
    app, names = whole(settings)
    found = {}
    for name in names:
        one = app.apps.get(settings.ports[name], app.front)
        found[name] = one.openapi_schema.to_schema()
        complete(found[name], one)
    return found
