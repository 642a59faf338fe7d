"""The order loop with what a process gives it: settings, a journal and a switch on the disk, metrics."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal

import structlog
from msgspec import Struct
from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config.settings import Orders, Settings, SettingsError
from realtime.capture import Taker
from realtime.orders import records
from realtime.orders.agreement import Pace
from realtime.orders.broker import Broker
from realtime.orders.chronicle import opened
from realtime.orders.entries import Change as Recorded
from realtime.orders.ground import Ways
from realtime.orders.limits import ALL_DAY, Change, Hours, LimitsError, RiskLimits, check
from realtime.orders.loop import LoopRules, OrderLoop
from realtime.orders.positions import Costs
from realtime.orders.prices import Prices
from realtime.orders.reconcile import Rules
from realtime.orders.risk import Limits
from realtime.orders.states import NotSent, SendUnclear, Sent
from realtime.orders.switch import Switch
from realtime.profitdll.messages import Control

LIVE_HOURS = ("09:00", "18:00")
LATENCIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)  # 0.5: what orders may take, P95

log = structlog.get_logger("orders")


class Trading(Struct, frozen=True, kw_only=True):
    """What a process has for orders. `loop` None: none leave from here."""

    loop: OrderLoop | None = None
    broker: Broker | None = None
    takers: tuple[Taker, ...] = ()  # of the market's records
    hear: Callable[[Control], None] | None = None  # of the DLL's events

    def close(self) -> None:
        """End the loop where it still runs; let go of broker, journal and switch."""
        if self.loop is None or self.broker is None:
            return
        ended(self.loop)
        self.broker.close()
        self.loop.chronicle.close()
        self.loop.switch.close()


def ended(loop: OrderLoop) -> None:
    """Stop the loop; orders stay where they are. Repeatable."""
    if not loop.stop():
        log.error("order_loop_hangs")


def limits_of(orders: Orders, *, live: bool) -> RiskLimits:
    """The first limits. Raises SettingsError for hours that are none."""
    start, end = LIVE_HOURS if live else ALL_DAY
    hours = Hours(start=orders.hours_start or start, end=orders.hours_end or end)
    try:
        check(Change(hours=hours))
    except LimitsError as error:
        raise SettingsError(f"TRADING_HOURS_START, TRADING_HOURS_END: {error}") from error
    base = Limits(
        quantity=orders.max_quantity,
        notional=orders.max_notional,
        collar=orders.collar,
        position=orders.max_position,
        open_orders=orders.max_open_orders,
        open_notional=orders.max_open_notional,
        per_second=orders.per_second,
        per_minute=orders.per_minute,
        daily_loss=orders.daily_loss,
        capital=orders.capital,
        margin_rate=orders.margin_rate,
        margin_needed=live,
        price_age=dt.timedelta(seconds=orders.price_age_seconds),
        mark_age=dt.timedelta(seconds=orders.mark_age_seconds),
    )
    return RiskLimits(base=base, hours=hours, positions=orders.max_positions, shares=orders.max_shares)


def rules_of(orders: Orders, broker: str, *, live: bool) -> LoopRules:
    """Times and habits of the loop. An invented market never closes."""
    return LoopRules(
        ways=Ways(
            always_open=not live,
            twin_seconds=orders.twin_seconds,
            confidence=orders.confidence,
            account=orders.account,
            any_account=not live,
        ),
        reconcile=Rules(settle=dt.timedelta(seconds=orders.settle_seconds)),
        pace=Pace(every=orders.reconcile_seconds),
        rehearse_seconds=orders.rehearse_seconds,
        ack_seconds=orders.ack_seconds,
        partial_seconds=orders.partial_seconds,
        flatten_on_loss=orders.flatten_on_loss,
        costs=Costs(per_contract=orders.costs, share=orders.cost_share),
        broker=broker,
    )


def loop_of(settings: Settings, broker: Broker, prices: Prices, *, name: str, live: bool) -> OrderLoop:
    """The order loop of a data directory. A journal that cannot be used closes it for orders, and says why."""
    orders = settings.orders
    limits, rules = limits_of(orders, live=live), rules_of(orders, name, live=live)
    settings.orders_dir.mkdir(parents=True, exist_ok=True)
    key = orders.journal_key.encode() if orders.journal_key else None
    chronicle = opened(settings.orders_dir, key, limits)
    used_before = chronicle.ledger.records > 0
    switch = Switch(settings.orders_dir / "kill-switch", used_before=used_before)
    return OrderLoop(broker, chronicle, switch, prices, rules)


def probe_of(orders: OrderLoop) -> Callable[[], bool | str]:
    """Why orders cannot leave although they should; a switch that somebody pulled is no illness."""

    def found() -> bool | str:
        if orders.over is not None:
            return f"the order loop has ended: {orders.over}"
        if orders.chronicle.trouble is not None:
            return f"journal: {orders.chronicle.trouble}"
        if orders.switch.failed is not None:
            return f"kill switch: {orders.switch.failed}"
        standing = orders.agreement.standing
        apart = [account for account, agreed in standing.items() if not agreed]
        if not standing or apart:
            return "not reconciled with the broker yet" + (f": {', '.join(apart)}" if apart else "")
        if orders.day.missing:
            return f"the day has not begun: no settlement yet of {', '.join(orders.day.missing)}"
        return True

    return found


class OrdersCollector(Collector):
    """What Prometheus sees of orders. Counts are those of this process."""

    def __init__(self, orders: OrderLoop) -> None:
        self._orders = orders
        self._ended: Counter[tuple[str, str]] = Counter()
        self._violations: Counter[str] = Counter()
        self._pulled = 0
        self._leaving: dict[str, dt.datetime] = {}  # order -> when it was decided
        self._latency = Histogram(
            "order_manager_execution_latency_seconds",
            "From the decision to the broker's answer of the call, the journal's disk included",
            buckets=LATENCIES,
            registry=None,
        )
        orders.chronicle.watchers.append(self._count)

    def _count(self, change: Recorded, _: int | None) -> None:
        entry = change.entry
        self._time(entry)
        if isinstance(entry, records.Refused):
            self._violations[entry.refusal.code] += 1
        elif isinstance(entry, records.SwitchPulled):
            self._pulled += 1
        elif change.order is not None and isinstance(entry, records.Intended | records.Happened):
            if change.was == change.order.status:
                return
            self._ended[change.order.side, change.order.status] += 1

    def _time(self, entry: records.Entry) -> None:
        if isinstance(entry, records.Intended):
            self._leaving[entry.order.id] = entry.at
        elif isinstance(entry, records.Happened) and isinstance(entry.event, Sent | NotSent | SendUnclear):
            decided = self._leaving.pop(entry.order, None)
            if decided is not None:
                self._latency.observe((entry.at - decided).total_seconds())

    def collect(self) -> Iterable[Metric]:
        """Counters and gauges as they stand now."""
        yield from self._latency.collect()
        orders = self._orders
        ledger = orders.chronicle.ledger
        seen = CounterMetricFamily("order_manager_orders", "States that orders were seen in", labels=["side", "status"])
        for (side, status), count in list(self._ended.items()):
            seen.add_metric([side, status], count)
        yield seen
        violations = CounterMetricFamily(
            "order_manager_risk_violations", "Orders that a check refused", labels=["type"]
        )
        for code, count in list(self._violations.items()):
            violations.add_metric([code], count)
        yield violations
        yield CounterMetricFamily("order_manager_kill_switch_activations", "Pulled", value=self._pulled)
        yield CounterMetricFamily("order_manager_loop_broken", "Things that broke in the loop", value=orders.broken)
        for name, what, value in (
            ("kill_switch", "1 while it is on", float(orders.switch.latch is not None)),
            ("journal_ready", "1 while it can be written", float(orders.chronicle.trouble is None)),
            ("reconciled", "Accounts that we agree with the broker on", sum(orders.agreement.standing.values())),
            ("working_orders", "Orders that may still trade", len(ledger.working)),
            ("daily_loss_limit", "BRL", float(ledger.limits.base.daily_loss)),
        ):
            yield GaugeMetricFamily(f"order_manager_{name}", what, value=value)
        yield from self._of_positions()

    def _of_positions(self) -> Iterable[Metric]:
        ledger, market = self._orders.chronicle.ledger, self._orders.market
        sizes = GaugeMetricFamily("order_manager_position_size_current", "Net", labels=["account", "symbol"])
        most = GaugeMetricFamily("order_manager_position_size_limit", "Without its sign", labels=["symbol"])
        loss = Decimal(0)
        for position in list(ledger.positions.values()):
            sizes.add_metric([position.account, position.symbol], position.net)
            most.add_metric([position.symbol], ledger.limits.position(position.symbol))
            mark = market.last(position.symbol)
            loss -= position.day_result + (position.day_unrealised(mark.price) if mark else Decimal(0))
        yield sizes
        yield most
        yield GaugeMetricFamily(
            "order_manager_daily_loss_current", "BRL, all accounts", value=float(max(loss, Decimal(0)))
        )
