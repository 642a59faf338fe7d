"""The services whose ports this process answers on; each is also on the gateway."""

from api.documentation.service import documentation
from api.kernel.application import Service
from api.market.service import market_data
from api.scrape import firecrawl_proxy
from api.tp_capital.service import tp_capital
from api.workspace.service import workspace
from config.settings import Settings
from sql import stores


def services(settings: Settings) -> list[Service]:
    """All of them, in the manifest's order. Opens nothing."""
    hot = stores.hot(settings, reader=True)
    return [
        workspace(settings),
        documentation(settings),
        tp_capital(settings),
        market_data(settings, hot),
        firecrawl_proxy(settings),
    ]
