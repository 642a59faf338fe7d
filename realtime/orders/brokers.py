"""Which broker executes: ProfitDLL behind the market data, or the paper exchange behind the same tape."""

from config.settings import Settings, SettingsError
from realtime.orders.instruments import Instruments
from realtime.orders.paper import Model, PaperBroker
from realtime.orders.paper_book import BookError
from realtime.orders.paper_feed import PaperFeed
from realtime.orders.prices import Prices
from realtime.orders.service import Trading, loop_of
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.broker import ProfitBroker
from realtime.profitdll.messages import Control

DEMO_PASSWORD = "demo"  # noqa: S105 - the simulator takes any


def trading(settings: Settings, dll: ProfitDll, *, live: bool) -> Trading:
    """Orders beside capture; without routing there are none, and their routes neither.

    Raises SettingsError for limits that are none and a paper book that cannot be read.
    """
    instruments = Instruments(settings.orders.instruments)
    prices = Prices(instruments=instruments, dated=live)
    if settings.orders.broker == "paper":
        exchange = paper(settings, instruments, live=live)
        loop = loop_of(settings, exchange, prices, name="paper", live=live)
        return Trading(loop=loop, broker=exchange, takers=(prices, PaperFeed(exchange)), hear=instruments.hear)
    if live and not settings.profitdll.routing:
        return Trading(takers=(prices,))
    password = settings.profitdll.routing_password if live else DEMO_PASSWORD
    offset = settings.profitdll.stop_offset_ticks
    broker = ProfitBroker(dll, password or "", stop_offset_ticks=offset, instruments=instruments)

    def hear(event: Control) -> None:
        instruments.hear(event)
        broker.hear(event)

    loop = loop_of(settings, broker, prices, name="profitdll" if live else "simulator", live=live)
    return Trading(loop=loop, broker=broker, takers=(prices,), hear=hear)


def paper(settings: Settings, instruments: Instruments, *, live: bool) -> PaperBroker:
    """The paper exchange of a data directory. Raises SettingsError when its book cannot be read."""
    orders = settings.orders
    settings.orders_dir.mkdir(parents=True, exist_ok=True)
    model = Model(slippage_ticks=orders.paper_slippage, queue_lots=orders.paper_queue, always_open=not live)
    try:
        return PaperBroker(settings.orders_dir / "paper.jsonl", model=model, instruments=instruments)
    except BookError as error:
        raise SettingsError(str(error)) from error
