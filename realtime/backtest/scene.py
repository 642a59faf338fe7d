"""The order loop of a backtest: the one that runs live, over the paper exchange, on the tape's clock, without a disk.

Its records go through the same ledger; instead of a journal they leave a hash, which is equal for equal backtests.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from realtime.backtest import BacktestError, Host
from realtime.backtest.market import Clock, TapeMarket
from realtime.orders.broker import AccountId
from realtime.orders.chronicle import Chronicle
from realtime.orders.commands import Answers
from realtime.orders.journal import Record
from realtime.orders.ledger import Ledger
from realtime.orders.loop import LoopRules, OrderLoop
from realtime.orders.paper import ACCOUNT, Model, PaperBroker
from realtime.orders.records import Reply
from realtime.orders.risk import Finding
from realtime.orders.service import limits_of, rules_of
from realtime.orders.states import Order
from realtime.orders.switch import Switch

INVENTED = ("simulator", "generated")  # sources of rows of a market that never closes
FIRST_STEPS = 3  # link, list, agreement


class Evidence:
    """In the journal's place: keeps nothing but a hash over all records, in their order."""

    failed: str | None = None
    length = 0  # it has no file that could become long

    def __init__(self, clock: Clock) -> None:
        self.records = 0
        self._clock = clock
        self._hash = hashlib.sha256()

    def append(self, kind: str, body: dict[str, Any]) -> "Future[Record]":
        """Take a record in; done at once."""
        self.records += 1
        record = Record(number=self.records, at=self._clock(), kind=kind, body=body)
        self._hash.update(msgspec.json.encode(record, order="deterministic"))
        future: Future[Record] = Future()
        future.set_result(record)
        return future

    def close(self) -> None:
        """Nothing is open."""

    @property
    def digest(self) -> str:
        """Of everything so far."""
        return self._hash.hexdigest()


class Scene(Struct, frozen=True, kw_only=True):
    """The parts of one backtest."""

    clock: Clock
    market: TapeMarket
    broker: PaperBroker
    loop: OrderLoop
    evidence: Evidence
    rules: LoopRules
    model: Model

    def ask(self, command: Any) -> Any:
        """The loop's answer, now. Raises CommandError."""
        future = self.loop.ask(command)
        self.step()
        return future.result(0)

    def step(self) -> None:
        """One round of the loop. Raises BacktestError when something broke in it."""
        self.loop.step()
        if self.loop.broken:
            raise BacktestError("the order loop broke on this; its log above says where")

    def close(self) -> None:
        """Let go."""
        self.broker.close()
        self.loop.switch.close()


def scene_of(host: Host, sources: Iterable[str], folder: Path, start_ms: int) -> Scene:
    """A loop that agrees with its broker and holds nothing. `sources`: of the rows; invented ones have no hours.

    Raises SettingsError for limits that are none.
    """
    invented = any(source in INVENTED for source in sources)
    orders, clock, market = host.orders, Clock(start_ms), TapeMarket()
    limits = limits_of(orders, live=not invented)
    limits = structs.replace(limits, base=structs.replace(limits.base, margin_needed=host.live))
    rules = rules_of(orders, "paper", live=not invented)
    model = Model(slippage_ticks=orders.paper_slippage, queue_lots=orders.paper_queue, always_open=invented)
    account = AccountId.of(orders.account) if orders.account else ACCOUNT
    broker = PaperBroker(accounts=(account,), model=model, now=clock)
    evidence = Evidence(clock)
    chronicle = Chronicle(evidence, Ledger(limits), now=clock)
    loop = OrderLoop(broker, chronicle, Switch(folder / "kill-switch"), market, rules)
    loop.begin()
    scene = Scene(clock=clock, market=market, broker=broker, loop=loop, evidence=evidence, rules=rules, model=model)
    for _ in range(FIRST_STEPS):
        scene.step()
    if not loop.agreement.agreed(str(account)):
        raise BacktestError(f"the paper exchange does not agree on {account}: {loop.agreement.standing}")
    return scene


def answers() -> Answers:
    """Nobody reads them: what became of an order is told by its records."""

    def placed(order: Order, _: str) -> Reply:
        return Reply(202, order.id)

    def refused(order: Order, _: Finding) -> Reply:
        return Reply(403, order.id)

    return Answers(placed=placed, refused=refused)
