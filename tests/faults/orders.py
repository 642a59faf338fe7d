"""The order loop broken on purpose at every step: kills, unclear sends, lost links, late news; on a clock of its own.

The exchange outlives everything and remembers what arrived. After each fault the process starts again from its journal,
and an observer who knows only arrivals, fills and limits looks for a doubled order, a broken limit, a lost fill, and an
order that left after the kill switch was pulled.
"""

import contextlib
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from realtime.orders.broker import NewOrder, Sent
from realtime.orders.chain import segments
from realtime.orders.commands import CommandError, Release
from realtime.orders.journal import records as journal_records
from realtime.orders.journal import verify
from realtime.orders.ledger import replayed
from realtime.orders.loop import OrderLoop
from realtime.orders.records import Caller, entry_of
from realtime.orders.states import FINAL, Status
from tests.realtime.orders.scenes import ANA, KEY, SYMBOL, Scene, base, place
from tests.realtime.orders.scripted_broker import Exchange

LIMIT = 10
WRONG = ("doubled", "over_limit", "after_latch", "disagreeing", "unproven", "unfaithful", "lost")
SEND_FAULTS = ("refused", "unclear before", "unclear after", "late", "late no", "silent", "rejected", "broken")
PLACES = ("append", "send before", "send after", "cancel before", "cancel after", "change before", "news", "switch")


class Killed(BaseException):
    """The process ends here, at once: nothing of ours may catch it."""


class Observer(Exchange):
    """An exchange that looks at each arrival. It knows limits and the latch, and nothing of the ledger."""

    def __init__(self, scene: "Broken") -> None:
        super().__init__(scene.clock)
        self.scene = scene
        self.seen: set[str] = set()

    def arrived(self, order: NewOrder, local_id: int | None) -> Any:
        wrong = self.scene.wrong
        if order.id in self.seen:
            wrong["doubled"] += 1
        self.seen.add(order.id)
        if self.scene.latched:
            wrong["after_latch"] += 1
        report = super().arrived(order, local_id)
        for sign, side in ((1, "BUY"), (-1, "SELL")):
            open_ = sum(r.quantity - r.traded for r in self.working if r.side == side)
            position = sign * self.held.get(order.symbol, 0)
            if side == order.side and position + open_ > LIMIT:
                wrong["over_limit"] += 1
        return report


class Broken(Scene):
    """A scene that is killed where `fuse` says: at the n-th time that it comes by a place."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.wrong: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.latched = False
        self.fuse: tuple[str, int] | None = None
        self.keys: list[tuple[str, tuple[int, str, str]]] = []
        super().__init__(folder, base=base(position=LIMIT, open_orders=1000))
        self.settle()

    def start(self, **more: Any) -> None:
        if not isinstance(self.exchange, Observer):
            self.exchange = Observer(self)
        super().start(**more)
        self._wire(self.loop)

    # --- where it breaks ---

    def _wire(self, loop: OrderLoop) -> None:
        broker, chronicle = self.broker, loop.chronicle
        append, send, cancel, change, news = chronicle._append, broker.send, broker.cancel, broker.change, broker.news
        pull = self.switch.pull

        def appended(entry: Any) -> Any:
            self._pass("append")
            return append(entry)

        def sent(order: NewOrder, *gate: Any) -> Sent:
            self._pass("send before")
            found = send(order, *gate)
            self._pass("send after")
            return found

        def cancelled(*args: Any) -> Sent:
            self._pass("cancel before")
            found = cancel(*args)
            self._pass("cancel after")
            return found

        def changed(*args: Any, **more: Any) -> Sent:
            self._pass("change before")
            return change(*args, **more)

        def taken() -> Any:
            found = news()
            if found:
                self._pass("news")
            if self.chance.random() < 0.2:
                found = [each for each in found for _ in range(self.chance.choice((1, 1, 2)))]
            return found

        def pulled(latch: Any) -> Any:
            found = pull(latch)
            self.latched = True
            self._pass("switch")
            return found

        chronicle._append, broker.send, broker.cancel = appended, sent, cancelled  # type: ignore[method-assign,assignment]
        broker.change, broker.news, self.switch.pull = changed, taken, pulled  # type: ignore[method-assign,assignment]

    def _pass(self, where: str) -> None:
        if self.fuse is None or self.fuse[0] != where:
            return
        left = self.fuse[1] - 1
        self.fuse = (where, left) if left > 0 else None
        if left <= 0:
            self.counts[f"kills_{where.replace(' ', '_')}"] += 1
            raise Killed

    def killed(self) -> None:
        """Start again from the bytes that were on the disk at the kill, no matter what waited to be written."""
        kept = self._on_disk()
        self.loop.chronicle.close()
        self.switch.close()
        for path in self._files() - kept.keys():  # a page that was turned while the journal closed
            path.unlink()
        for path, content in kept.items():
            path.write_bytes(content)
        self.start()

    def _files(self) -> set[Path]:
        return {*self.folder.glob("journal*.jsonl"), *self.folder.glob("head.json")}

    def _on_disk(self) -> dict[Path, bytes]:
        """The journal's files at one instant: its thread may be turning a page just now. The head is read first, for it
        may lag behind and never lead."""
        while True:
            files = self._files()
            with contextlib.suppress(FileNotFoundError):
                kept = {path: path.read_bytes() for path in sorted(files, key=lambda path: path.name)}
                if self._files() == files:
                    return kept

    # --- what it does ---

    def one(self) -> None:
        """One fault, with some life before it; then everything is put right and looked at."""
        if self.chance.random() < 0.5:
            where = self.chance.choice(PLACES)
            self.fuse = (where, self.chance.randint(1, 8 if where == "append" else 2))
        else:
            fault = self.chance.choice(SEND_FAULTS)
            self.counts[f"faults_{fault.replace(' ', '_')}"] += 1
            self.broker.faults = [None] * self.chance.randint(0, 1) + [fault]
        acts = self.chance.randint(2, 6)
        while acts > 0 or (self.fuse is not None and acts > -12):
            self._alive(self._act)
            acts -= 1
        self.fuse, self.broker.faults = None, []
        self._mend()
        self.look()

    def _alive(self, work: Any) -> None:
        try:
            work()
        except Killed:
            self.killed()
        except CommandError:
            self.counts["command_errors"] += 1

    def _act(self) -> None:
        chance = self.chance.random()
        working = list(self.ledger.working.values())
        if chance < 0.40:
            self._place()
        elif chance < 0.50 and self.keys:
            key, (quantity, price, side) = self.chance.choice(self.keys)
            self.tick()
            self.ask(place(quantity, price, key=key, side=side))
        elif chance < 0.62 and working:
            self.cancel(self.chance.choice(working))
        elif chance < 0.70 and working:
            entry = self.chance.choice(working)
            self.alter(entry, quantity=self.chance.randint(1, 5))
        elif chance < 0.88 and self.exchange.working:
            self._fill()
        elif chance < 0.92:
            self.broker.link(up=False)
            self.loop.step()
        elif chance < 0.95:
            self.loop.pull("a drill", ANA)
            self.loop.step()
        else:
            self.settle(1)

    def _place(self) -> None:
        self.tick()
        quantity, side = self.chance.randint(1, 4), self.chance.choice(("BUY", "SELL"))
        price = str(130_000 + 5 * self.chance.randint(-40, 40))
        key = f"k{len(self.keys)}"
        self.keys.append((key, (quantity, price, side)))
        self.counts["orders"] += 1
        self.ask(place(quantity, price, key=key, side=side))

    def _fill(self) -> None:
        report = self.chance.choice(self.exchange.working)
        assert report.key.exchange_id is not None
        quantity = self.chance.randint(1, report.quantity - report.traded)
        self.counts["fills"] += 1
        told = self.chance.random() < 0.7
        self.broker.fill(report.key.exchange_id, quantity, str(report.price), told=told)
        self.loop.step()

    def _mend(self) -> None:
        """Links up, time enough for every rule to settle what is unclear; sometimes a kill instead of peace."""
        if self.chance.random() < 0.05:
            self.counts["pages_turned"] += 1
            self.loop.chronicle.turn_page(1)
        if self.chance.random() < 0.3:
            self.counts["kills_at_rest"] += 1
            self.killed()
        if not self.broker.up:
            self.broker.link(up=True)
        self._alive(lambda: self.settle(75))
        if self.switch.latch is not None:
            self._alive(lambda: self.settle(10))
            if self.exchange.working:
                self.wrong["after_latch"] += 1  # the switch did not cancel everything
            self.latched = False
            self.ask(Release(caller=Caller(user="ana"), reason="the drill is over"))
            self.settle(1)
        self.loop.step()  # what the exchange said last is heard before anybody looks

    # --- what it finds ---

    def look(self) -> None:
        """Everything agrees: journal, ledger, exchange."""
        ledger, arrivals = self.ledger, {order.id for order in self.exchange.arrivals}
        theirs = {r.key.exchange_id for r in self.exchange.working}
        ours = {e.order.exchange_id for e in ledger.working.values()}
        for entry in ledger.entries.values():
            order = entry.order
            if order.id in arrivals and order.status is Status.FAILED:
                self.wrong["lost"] += 1
            if entry.foreign or (order.id not in arrivals and order.status not in FINAL):
                self.wrong["disagreeing"] += 1
        held = {symbol: quantity for symbol, quantity in self.exchange.held.items() if quantity}
        self.wrong["disagreeing"] += theirs != ours
        self.wrong["disagreeing"] += ledger.nets("1:0042") != held
        self.counts["looks"] += 1
        self.counts["taken_over"] = sum(d.what.startswith(f"{SYMBOL}: our fills") for d in ledger.differences)

    def proven(self) -> None:
        """The journal verifies, and makes the very ledger that the process has."""
        found = verify(self.folder / "journal.jsonl", self.folder / "head.json", KEY)
        self.wrong["unproven"] += not found.holds
        whole = [record for each in segments(self.folder) for record in journal_records(each.path)]
        numbered = [(r.number, entry_of(r.kind, r.body)) for r in whole]
        again = replayed(((n, entry) for n, entry in numbered if entry is not None), self.limits)
        same = again.positions == self.ledger.positions
        orders = {name: entry.order for name, entry in self.ledger.entries.items()}
        self.wrong["unfaithful"] += not (same and orders == {n: e.order for n, e in again.entries.items()})


def run(folder: Path, seed: int, faults: int) -> tuple[Counter[str], Counter[str]]:
    """So many faults, a new data directory every hundred; what was wrong, and what was done."""
    wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
    counts: Counter[str] = Counter()
    for part, begun in enumerate(range(0, faults, 100)):
        place_of = folder / str(part)
        scene = Broken(place_of, seed * 1_000_003 + part)
        try:
            for _ in range(min(100, faults - begun)):
                scene.one()
                counts["faults"] += 1
        finally:
            scene.close()
        scene.proven()
        wrong += scene.wrong
        counts += scene.counts
        shutil.rmtree(place_of)
    return Counter({name: wrong[name] for name in WRONG}), counts
