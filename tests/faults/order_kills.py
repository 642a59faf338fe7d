"""The real process killed with orders in every state, over the simulated broker, which outlives it as a true one does.

A script holds an order of each state where it is; the last one is in the call that sends it when the process dies, or
the process dies in the middle of another act. After each kill the journal proves, and after the next start it, the
broker's orders and the positions agree; no order is there twice. A state counts where the journal had an order in it
at the kill and the broker's own file bears it out.
"""

import contextlib
import datetime as dt
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from config import manifest
from config import settings as configuration
from config.settings import ROOT, Settings
from launcher import instance
from realtime.orders.journal import verify
from realtime.orders.ledger import Ledger
from realtime.orders.states import FINAL, Status
from tests.faults import order_aims
from tests.faults.both_books import UNCLEAR, BrokerFile, Journal, apart, borne_out, states_of
from tests.faults.order_aims import AIMS, CHANGED, SLOW, STATES, SYMBOL, Act
from tests.realtime.process import HEAD, KEY, Realtime

KILLS = tuple(f"kills_{state}" for state in STATES)
WRONG = ("doubled", "disagreeing", "positions", "unproven", "revived", "foreign", "lost", "sure", "left_over")
PATIENCE = 600.0  # seconds, of a very busy machine
HOLD_SECONDS = 6.0  # until all aims are met, or those that are not are done without
LIVES = 5  # of the process for each asked kill in a state, at most
IN_THE_ACT, IN_THE_START = 0.3, 0.15  # shares of the lives that end elsewhere
NEAR = 0.001  # seconds between a record and its effect
JOURNAL_KEY = b"a-journal-key-for-these-tests-alone"
VARIABLES = {
    "TRADINGSYSTEM_SYMBOLS": SYMBOL,
    "TRADINGSYSTEM_TWIN_SECONDS": "0",
    "TRADINGSYSTEM_ACK_SECONDS": "0.5",
    "TRADINGSYSTEM_SETTLE_SECONDS": "3",
    "TRADINGSYSTEM_MAX_POSITION": "10000",
    "TRADINGSYSTEM_MAX_OPEN_ORDERS": "100000",
    "TRADINGSYSTEM_ORDERS_PER_SECOND": "1000",
    "TRADINGSYSTEM_ORDERS_PER_MINUTE": "10000",
    "DAILY_LOSS_LIMIT": "1000000",
    "LOG_LEVEL": "warning",
}


class Answer(Struct, kw_only=True):
    """An order that was asked for under a key, and what was answered; nothing when the process died before."""

    body: dict[str, Any]
    said: bytes = b""
    order: str = ""


class Killing:
    """One data directory and its broker; the process is started and killed again and again."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
        self.counts: Counter[str] = Counter(dict.fromkeys(KILLS, 0))
        self.state = folder / "broker-state"
        self.process = Realtime(_settings(folder / "data"), "", **VARIABLES)
        self.journal = self.process.settings.orders_dir / "journal.jsonl"
        self.http = httpx.Client(base_url=self.process.url, headers={"X-API-Key": KEY}, timeout=PATIENCE)
        self.asked: dict[str, Answer] = {}  # by key, in this life
        self.known: dict[str, Answer] = {}  # of the life before: what the journal has an answer to
        self.ended: dict[str, tuple[str, int]] = {}  # at the kill
        self.sending: set[str] = set()  # at the kill
        self.unwanted: set[str] = set()  # whose cancellation was on record at the kill
        self.acting: list[threading.Thread] = []
        self.made: set[tuple[str, int, int]] = set()  # side, quantity and price of all
        self.price = 0
        self.number = 0

    # --- the life of a process ---

    def begin(self) -> None:
        """Start, until orders may leave; each life has mishaps of its own."""
        script = order_aims.script(self.chance, self.state)
        self.process.script.write_text(HEAD + script, encoding="utf-8")
        self.process.start()
        self.until(self._ready, PATIENCE)
        self.until(lambda: self._get(f"/api/v1/prices/{SYMBOL}")["state"] is not None)
        self.price = round(float(self._get(f"/api/v1/prices/{SYMBOL}")["price"]))

    def live(self, *, in_the_act: bool) -> None:
        """An order in each state, and then the end: while one more is being sent, or in the middle of another act."""
        before = len(self._journal().entries)
        held = self._hold()
        if in_the_act:
            self.counts["kills_in_the_act"] += 1
            self._end_in_the_act(held["SUBMITTED"])
        else:
            wait = self.chance.choice((NEAR, 0.3)) * self.chance.random()
            self._killed_at('"kind":"intent"', lambda: self.place(SLOW, rests=self.chance.random() < 0.5), wait)
        self._counted(before)

    def killed_in_the_start(self) -> None:
        """The next process, killed while it finds out what became of everything."""
        self.counts["kills_in_the_start"] += 1
        self._killed_at('"kind":"start"', self.process.start, 0.5 * self.chance.random(), PATIENCE)

    def _hold(self) -> dict[str, str]:
        """Bring an order into each state, and wait until the journal has them all there; their names by state."""
        aims = [*AIMS, *self.chance.choices(AIMS, k=3)]
        self.chance.shuffle(aims)
        placed = [(aim, self.place(self.chance.choice(aim.quantity), rests=aim.rests)) for aim in aims]
        for aim, name in placed:
            if name and aim.act:
                self._soon(lambda aim=aim, name=name: self._act(aim.act, name))  # type: ignore[misc]

        def missed() -> list[str]:
            entries = self._journal().ledger.entries
            return [aim.state for aim, name in placed if not name or aim.state not in states_of(entries[name])]

        deadline = time.monotonic() + HOLD_SECONDS
        while (left := missed()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.counts.update(f"missed_{state}" for state in left)
        held = {aim.state: name for aim, name in placed}
        if self.chance.random() < 0.5:  # what is left of it rests from now on; otherwise it trades on in the restart
            with contextlib.suppress(KeyError):  # it was refused
                self._act("move", held["PARTIALLY_FILLED"])
        return held

    def _end_in_the_act(self, resting: str) -> None:
        act, word = self.chance.choice(
            (
                (lambda: self.place(1, rests=False), '"kind":"intent"'),
                (lambda: self.place(25, rests=False), '"status":1,'),
                (lambda: self._act("cancel", resting), '"kind":"request"'),
                (lambda: self._act("cancel", resting), '"kind":"answer"'),
                (lambda: self._act("change", resting), '"kind":"request"'),
                (lambda: self._act("change", resting), '"kind":"answer"'),
            )
        )
        self._killed_at(word, act, NEAR * self.chance.random())

    def _counted(self, before: int) -> None:
        """What the journal and the broker's file say at the kill."""
        journal, broker = self._proven(), BrokerFile(self.state)
        came_in = broker.names()
        seen: set[str] = set()
        for entry in journal.entries[before:]:
            names = came_in.get(journal.prints.get(entry.order.id), [])
            kept = broker.orders[names[0]] if names else None
            states = {state for state in states_of(entry) if borne_out(state, entry.order, kept)}
            seen |= states
            self.counts.update(f"{state}_{'at' if kept else 'not_at'}_broker" for state in states & UNCLEAR)
        self.counts.update(f"kills_{state}" for state in seen)
        self.counts["kills"] += 1
        orders = [entry.order for entry in journal.entries]
        self.ended = {order.id: (order.status, order.traded) for order in orders if order.status in FINAL}
        self.sending = {order.id for order in orders if order.status is Status.PENDING}
        self.unwanted = {entry.order.id for entry in journal.entries if "canceling" in states_of(entry)}
        self._keep_answers(journal.ledger)

    def _keep_answers(self, ledger: Ledger) -> None:
        """What the journal knows an answer to; what was answered and is not there is lost."""
        self.known = {}
        for key, answer in self.asked.items():
            found = ledger.remembered(key, dt.datetime.now(dt.UTC))
            if found is not None and found.order is not None:
                self.known[key] = msgspec.structs.replace(answer, order=found.order)
            else:
                self.wrong["lost"] += bool(answer.said)
        self.asked.clear()

    def look(self) -> None:
        """After the next start, when nothing is unclear any more: everything agrees."""
        try:
            self.until(lambda: not self._apart(), PATIENCE)
        except TimeoutError:
            self.wrong["disagreeing"] += 1
            sys.stderr.write(f"after kill {self.counts['kills']} in {self.state.parent}: {'; '.join(self._apart())}\n")
        broker, orders = BrokerFile(self.state), self.orders()
        for name, was in self.ended.items():
            self.wrong["revived"] += (orders[name]["status"], orders[name]["filledQuantity"]) != was
        self.wrong["foreign"] += sum(name.startswith("EXT") for name in orders)
        named = Counter(o["brokerOrderId"] for o in orders.values() if o["brokerOrderId"])
        self.wrong["doubled"] += sum(count > 1 for count in named.values())
        self.wrong["doubled"] += sum(len(names) - 1 for names in broker.names().values())
        for key, answer in self.known.items():
            again = self._posted(key, answer.body)
            same = again.content == answer.said if answer.said else _order_in(again) == answer.order
            self.wrong["lost"] += not same
            self.counts["answers_again"] += 1
        self.wrong["doubled"] += len(BrokerFile(self.state).orders) - len(broker.orders)
        journal = self._proven()
        self.wrong["sure"] += len(self.sending - journal.unclear)  # of what it cannot have known
        self.wrong["positions"] += journal.taken_over
        try:  # what trades on is in the one book a moment before it is in the other
            self.until(lambda: self._journal().net == BrokerFile(self.state).net, PATIENCE)
        except TimeoutError:
            self.wrong["positions"] += 1
        self.counts["looks"] += 1

    def wind_up(self) -> None:
        """In the end all that is open can be cancelled: nothing is in a state that nobody can leave."""
        self.http.post("/api/orders/cancel-all", json={"reason": "the end"})
        try:
            self.until(lambda: not BrokerFile(self.state).working and not self._apart(), PATIENCE)
        except TimeoutError:
            self.wrong["left_over"] += len(BrokerFile(self.state).working) or 1
        self._proven()

    def _ready(self) -> bool:
        return all(self._get("/api/v1/orders-standing")["accounts"].values() or [False])

    def _apart(self) -> list[str]:
        """What is unclear, and what the broker has otherwise: named orders, others, the position. Empty: all agrees."""
        standing = self._get("/api/v1/orders-standing")
        if not all(standing["accounts"].values() or [False]) or standing["ambiguous"]:
            return [f"standing {standing}"]
        broker, orders = BrokerFile(self.state), self.orders()
        named = {order["brokerOrderId"]: order for order in orders.values() if order["brokerOrderId"]}
        net = sum(position["quantity"] for position in self.http.get("/api/v1/positions").json())
        return [
            *(
                words
                for name, order in named.items()
                if name in broker.orders and (words := apart(order, broker.orders[name]))
            ),
            *(f"{name} of one side only" for name in named.keys() ^ broker.orders.keys()),
            *(f"{o['orderId']} {o['status']} without a name" for o in orders.values() if not _over(o)),
            *(f"{name} was to be cancelled" for name in self.unwanted if orders[name]["status"] not in FINAL),
            *([] if net == broker.net else [f"position {net}, at the broker {broker.net}"]),
        ]

    # --- what it does ---

    def place(self, quantity: int, *, rests: bool) -> str:
        """An order unlike any other, far from the market or through it; its name, empty when there is no answer."""
        side = self.chance.choice(("BUY", "SELL"))
        price = self._price(side, quantity, rests=rests)
        key = f"key-{len(self.made)}"
        body = {"symbol": SYMBOL, "side": side, "type": "LIMIT", "price": price, "quantity": quantity}
        answer = self.asked[key] = Answer(body=body)
        try:
            said = self._posted(key, body)
        except httpx.TransportError:
            return ""
        answer.said = said.content
        self.counts["orders"] += 1
        return _order_in(said) if said.status_code == httpx.codes.CREATED else ""

    def _price(self, side: str, quantity: int, *, rests: bool) -> int:
        """One that no such order has had."""
        while True:
            self.number += 1
            better = -2000 - 5 * self.number if rests else 500 + 5 * self.number
            price = self.price // 5 * 5 + (better if side == "BUY" else -better)
            if (made := (side, quantity, price)) not in self.made:
                self.made.add(made)
                return price

    def _posted(self, key: str, body: dict[str, Any]) -> httpx.Response:
        return self.http.post("/api/orders", json=body, headers={"Idempotency-Key": key})

    def _act(self, act: Act, order: str) -> None:
        if act == "cancel":
            self.http.delete(f"/api/orders/{order}")
        elif act == "change":
            self.http.patch(f"/api/orders/{order}", json={"quantity": CHANGED})
        elif act == "move":
            found = self._get(f"/api/orders/{order}")
            price = self._price(found["side"], found["quantity"], rests=True)
            self.http.patch(f"/api/orders/{order}", json={"price": price})

    def _soon(self, act: Callable[[], object]) -> None:
        """Do something beside; the process may die of it."""

        def acting() -> None:
            with contextlib.suppress(httpx.TransportError):
                act()

        self.acting.append(threading.Thread(target=acting))
        self.acting[-1].start()

    def _killed_at(self, word: str, act: Callable[[], object], wait: float, patience: float = 2.0) -> None:
        """Do something beside, and kill the process so many seconds after the journal has the word."""
        begun = self.journal.stat().st_size
        self._soon(act)
        deadline = time.monotonic() + patience
        with self.journal.open("rb") as file:
            file.seek(begun)
            seen = b""
            while word.encode() not in seen and time.monotonic() < deadline:
                seen += file.read()
                time.sleep(0.0001)
        time.sleep(wait)
        self.close()

    def close(self) -> None:
        """Kill the process."""
        self.process.process.kill()
        self.process.process.wait(10)
        while self.acting:
            self.acting.pop().join(20)

    # --- what it reads ---

    def _journal(self) -> Journal:
        return Journal(self.journal.parent)

    def _proven(self) -> Journal:
        found = verify(self.journal, self.journal.parent / "head.json", JOURNAL_KEY)
        self.wrong["unproven"] += not found.holds
        return self._journal()

    def orders(self) -> dict[str, Any]:
        """All orders as the process tells them."""
        found: dict[str, Any] = {}
        while True:
            page = self._get(f"/api/orders?limit=500&offset={len(found)}")
            found |= {order["orderId"]: order for order in page["orders"]}
            if len(found) >= page["total"] or not page["orders"]:
                return found

    def _get(self, path: str) -> Any:
        return self.http.get(path).json()["data"]

    def until(self, holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """The first answer that holds. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.process.poll() is None, self.process.words()[-2000:]
            with contextlib.suppress(httpx.TransportError, KeyError):  # nobody listens yet
                if found := holds():
                    return found
            time.sleep(0.05)
        raise TimeoutError


def run(folder: Path, seed: int, kills: int, lives: int | None = None) -> tuple[Counter[str], Counter[str]]:
    """So many kills with an order in each state, or so many at all; what was wrong, and what was done."""
    scene = Killing(folder, seed)
    chance = scene.chance
    try:
        scene.begin()
        for life in range(lives or LIVES * kills):
            scene.live(in_the_act=life > 0 and chance.random() < IN_THE_ACT)
            if chance.random() < IN_THE_START:
                scene.killed_in_the_start()
            scene.begin()
            scene.look()
            if min(scene.counts[name] for name in KILLS) >= kills:
                break
        scene.wind_up()
    finally:
        scene.close()
        scene.http.close()
    return scene.wrong, scene.counts


def _over(order: dict[str, Any]) -> bool:
    return bool(order["brokerOrderId"]) or order["status"] in FINAL


def _order_in(answer: httpx.Response) -> str:
    return str(answer.json()["data"]["orderId"])


def _settings(data_dir: Path) -> Settings:
    names = ("QUESTDB_PG_PORT", *(s.port_variables[0] for s in manifest.services() if s.port_variables))
    environ = {
        "TRADINGSYSTEM_DATA_DIR": str(data_dir),
        "TRADINGSYSTEM_DOWNLOADS_DIR": os.environ.get("TRADINGSYSTEM_DOWNLOADS_DIR", str(ROOT / ".data" / "downloads")),
        **dict(zip(names, map(str, instance.free_ports(len(names))), strict=True)),
    }
    return msgspec.structs.replace(configuration.load(environ, root=data_dir.parent), root=ROOT)
