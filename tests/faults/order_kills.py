"""The real process killed with orders in every state, over the simulated broker, which outlives it as a true one does.

What the broker holds is read from its own file, so that nobody is asked who was killed. After each kill the journal
proves, and after the next start it, the broker's orders and the positions agree; no order is there twice.
"""

import contextlib
import datetime as dt
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np

from config import manifest
from config import settings as configuration
from config.settings import ROOT, Settings
from launcher import instance
from realtime.orders.entries import Entry
from realtime.orders.journal import records, verify
from realtime.orders.ledger import Ledger
from realtime.orders.limits import RiskLimits
from realtime.orders.records import entry_of
from realtime.orders.risk import Limits
from realtime.orders.states import BROKER_FINAL, FINAL
from tests.realtime.process import HEAD, KEY, Realtime

STATES = (
    "PENDING",
    "SUBMITTED",
    "PARTIALLY_FILLED",
    "FILLED",
    "CANCELED",
    "REJECTED",
    "FAILED",
    "UNKNOWN",
    "canceling",
    "replacing",
)
KILLS = tuple(f"kills_{state}" for state in STATES)
WRONG = ("doubled", "disagreeing", "positions", "unproven", "revived", "foreign", "lost")
OPEN = ("PENDING", "SUBMITTED", "PARTIALLY_FILLED")
PATIENCE = 120.0  # seconds, of a busy machine
LIVES = 5  # of the process for each asked kill in a state, at most
SYMBOL = "WINX99"
JOURNAL_KEY = b"a-journal-key-for-these-tests-alone"
SCRIPT = """\
seed {seed}
symbol WINX99 F price 131250 tick 5 lot 1 rate 200
latency 1
order reject risk any in 9
order drop any in 9
order partial any in 2 split 20 30
order broker-state {state}
"""
VARIABLES = {
    "TRADINGSYSTEM_SYMBOLS": SYMBOL,
    "TRADINGSYSTEM_TWIN_SECONDS": "0",
    "TRADINGSYSTEM_ACK_SECONDS": "1",
    "TRADINGSYSTEM_SETTLE_SECONDS": "2",
    "TRADINGSYSTEM_MAX_POSITION": "10000",
    "TRADINGSYSTEM_MAX_OPEN_ORDERS": "100000",
    "TRADINGSYSTEM_ORDERS_PER_SECOND": "1000",
    "TRADINGSYSTEM_ORDERS_PER_MINUTE": "10000",
    "DAILY_LOSS_LIMIT": "1000000",
    "LOG_LEVEL": "warning",
}
UNITS = {"account": 100, "sub_account": 100, "ticker": 32, "exchange": 2, "cl_ord_id": 32, "text": 128}
BROKER_RECORD = np.dtype(
    [
        ("magic", "<u4"),
        ("broker", "<i4"),
        *((name, "<u2", (count,)) for name, count in UNITS.items()),
        *((name, "u1") for name in ("side", "place", "status", "type", "pending", "triggered", "named", "reserved")),
        *((name, "<i8") for name in ("quantity", "traded", "traded_ticks")),
        *((name, "<f8") for name in ("price", "stop")),
        *((name, "<i8") for name in ("created_at", "updated_at", "closed_at", "fill")),
        ("fill_price", "<f8"),
        ("checksum", "<u8"),
    ],
    align=True,
)


class Held:
    """What the broker's file says: its orders by their id, as they are now, and the net position."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        rows = np.frombuffer(data[: len(data) // BROKER_RECORD.itemsize * BROKER_RECORD.itemsize], BROKER_RECORD)
        self.orders: dict[str, Any] = {}
        self.net = 0
        for row in rows:
            self.orders[row["cl_ord_id"].tobytes().decode("utf-16-le").partition("\0")[0]] = row
            self.net += int(row["fill"]) * (1 if row["side"] == 1 else -1)

    @property
    def working(self) -> dict[str, int]:
        """Traded quantity of each order that may still trade."""
        return {name: int(r["traded"]) for name, r in self.orders.items() if int(r["status"]) not in BROKER_FINAL}


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
        self.asked: dict[str, dict[str, Any]] = {}  # by key, in this life
        self.asked_again: dict[
            str, tuple[dict[str, Any], str]
        ] = {}  # in the next one: what the journal knows, and as what
        self.ended: dict[str, tuple[str, int]] = {}  # at the kill
        self.price = 0.0
        self.number = 0

    # --- the life of a process ---

    def begin(self) -> None:
        """Start, until orders may leave; each life draws other mishaps."""
        script = SCRIPT.format(seed=self.chance.randint(1, 10**6), state=self.state)
        self.process.script.write_text(HEAD + script, encoding="utf-8")
        self.process.start()
        self.until(self._ready, PATIENCE)
        self.until(lambda: self._get(f"/api/v1/prices/{SYMBOL}")["state"] is not None)
        self.price = float(self._get(f"/api/v1/prices/{SYMBOL}")["price"])

    def rarest(self) -> str:
        """A state in which the fewest orders were killed."""
        least = min(self.counts[name] for name in KILLS)
        return self.chance.choice([state for state in STATES if self.counts[f"kills_{state}"] == least])

    def live(self, target: str) -> None:
        """Orders of all kinds; killed when one is in the wanted state, or in the middle of something."""
        before = len(self.ledger().entries)
        for _ in range(self.chance.randint(3, 6)):
            self.place()
        resting = [name for name in (self.place(away=2000) for _ in range(3)) if name]
        if len(resting) > 1:
            self.http.delete(f"/api/orders/{resting.pop()}")
        act: Callable[[], object] = self.place
        word = '"kind":"intent"'
        asked = self.chance.choice(('"kind":"request"', '"kind":"answer"'))
        if target == "canceling" and resting:
            act, word = (lambda: self.http.delete(f"/api/orders/{resting[0]}")), asked
        elif target == "replacing" and resting:
            act = lambda: self.http.patch(f"/api/orders/{resting[0]}", json={"quantity": 3})  # noqa: E731
            word = asked
        elif target == "PARTIALLY_FILLED":
            act, word = (lambda: self.place(-100, 50)), '"status":1,'
        if target in ("PENDING", "PARTIALLY_FILLED", "canceling", "replacing"):
            self._killed_at(word, act)
        else:
            self._until_one_is(target, before)
            self._killed()
        self._counted(before)

    def _counted(self, before: int) -> None:
        ledger = self.ledger()
        found = verify(self.journal, self.journal.parent / "head.json", JOURNAL_KEY)
        self.wrong["unproven"] += not found.holds
        mine = list(ledger.entries.values())[before:]
        for state in {state for entry in mine for state in states_of(entry)}:
            self.counts[f"kills_{state}"] += 1
        self.counts["kills"] += 1
        orders = [entry.order for entry in ledger.entries.values()]
        self.ended = {order.id: (order.status, order.traded) for order in orders if order.status in FINAL}
        self.asked_again = {}
        for key, body in self.asked.items():
            known = ledger.remembered(key, dt.datetime.now(dt.UTC))
            if known is not None and known.order is not None:
                self.asked_again[key] = (body, known.order)
        self.asked.clear()

    def look(self) -> None:
        """After the next start, when nothing is unclear any more: everything agrees."""
        try:
            self.until(self._agrees, PATIENCE)
        except TimeoutError:
            self.wrong["disagreeing"] += 1
        held, orders = Held(self.state), self.orders()
        for name, was in self.ended.items():
            self.wrong["revived"] += (orders[name]["status"], orders[name]["filledQuantity"]) != (was[0], was[1])
        self.wrong["foreign"] += sum(name.startswith("EXT") for name in orders)
        named = Counter(o["brokerOrderId"] for o in orders.values() if o["brokerOrderId"])
        self.wrong["doubled"] += sum(count > 1 for count in named.values()) + len(held.orders.keys() - named.keys())
        for key, (body, name) in self.asked_again.items():
            again = self.http.post("/api/orders", json=body, headers={"Idempotency-Key": key})
            self.wrong["lost"] += again.json()["data"]["orderId"] != name
        self.wrong["doubled"] += len(Held(self.state).orders) - len(held.orders)
        self.counts["looks"] += 1

    def _ready(self) -> bool:
        return all(self._get("/api/v1/orders-standing")["accounts"].values() or [False])

    def _agrees(self) -> bool:
        """Nothing is unclear; working orders, their fills and the position are those of the broker."""
        if not self._ready() or self._get("/api/v1/orders-standing")["ambiguous"]:
            return False
        orders, held = self.orders(), Held(self.state)
        ours = {o["brokerOrderId"]: o["filledQuantity"] for o in orders.values() if o["status"] in OPEN}
        net = sum(position["quantity"] for position in self.http.get("/api/v1/positions").json())
        return ours == held.working and net == held.net

    # --- what it does ---

    def place(self, away: int = 0, quantity: int = 0) -> str:
        """An order unlike any other, near the market or away from it; its name, empty when there is no answer."""
        self.number += 1
        key, draw = f"key-{self.number}", self.chance
        side = draw.choice(("BUY", "SELL"))
        away = away or draw.choice((-100, -100, 2000))  # in points: through the market, or resting
        price = round((self.price + (-away if side == "BUY" else away)) / 5) * 5 + 5 * (self.number % 100)
        body = {
            "symbol": SYMBOL,
            "side": side,
            "type": "LIMIT",
            "price": price,
            "quantity": quantity or draw.choice((1, 2, 50)),
        }
        self.asked[key] = body
        try:
            answer = self.http.post("/api/orders", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return ""
        self.counts["orders"] += 1
        return str(answer.json()["data"]["orderId"]) if answer.status_code == 201 else ""

    def _killed_at(self, word: str, act: Callable[[], object]) -> None:
        """Do something in a thread, and kill the process as soon as the journal has the word."""

        def acting() -> None:
            with contextlib.suppress(httpx.TransportError):
                act()

        wait, begun = self.chance.random() * 0.001, self.journal.stat().st_size
        thread = threading.Thread(target=acting)
        thread.start()
        deadline = time.monotonic() + 2
        with self.journal.open("rb") as file:
            file.seek(begun)
            seen = b""
            while word.encode() not in seen and time.monotonic() < deadline:
                seen += file.read()
        time.sleep(wait)
        self._killed()
        thread.join(20)

    def _killed(self) -> None:
        self.process.process.kill()
        self.process.process.wait(10)

    def _until_one_is(self, state: str, before: int) -> None:
        """Until the journal has an order of this life in a state, a few seconds at most."""
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            mine = list(self.ledger().entries.values())[before:]
            if any(state in states_of(entry) for entry in mine):
                return
            if state in ("REJECTED", "UNKNOWN", "FAILED") and self.chance.random() < 0.1:
                self.place()
            time.sleep(0.02)

    # --- what it reads ---

    def ledger(self) -> Ledger:
        """What the journal says now."""
        made = Ledger(RiskLimits(base=Limits()))
        if self.journal.is_file():
            for record in records(self.journal):
                entry = entry_of(record.kind, record.body)
                if entry is not None:
                    made.apply(entry, record.number)
        return made

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

    def until(self, holds: Callable[[], Any], seconds: float = 20.0) -> Any:
        """The first answer that holds. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.process.poll() is None, self.process.words()[-2000:]
            with contextlib.suppress(httpx.TransportError, KeyError):  # nobody listens yet
                if found := holds():
                    return found
            time.sleep(0.05)
        raise TimeoutError


def states_of(entry: Entry) -> set[str]:
    """The words for where an order stands; a request counts from its record on."""
    order = entry.order
    found: set[str] = {order.status.value}
    if order.status not in FINAL:
        found |= {"canceling"} if order.canceling or entry.cancel_wanted else set()
        found |= {"replacing"} if order.replacing or entry.change else set()
    return found


def run(folder: Path, seed: int, kills: int, lives: int | None = None) -> tuple[Counter[str], Counter[str]]:
    """So many kills with an order in each state, or so many at all; what was wrong, and what was done."""
    scene = Killing(folder, seed)
    try:
        scene.begin()
        for _ in range(lives or LIVES * kills):
            scene.live(scene.rarest())
            scene.begin()
            scene.look()
            if min(scene.counts[name] for name in KILLS) >= kills:
                break
    finally:
        scene.process.process.kill()
        scene.process.process.wait(10)
        scene.http.close()
    return scene.wrong, scene.counts


def _settings(data_dir: Path) -> Settings:
    names = ("QUESTDB_PG_PORT", *(s.port_variables[0] for s in manifest.services() if s.port_variables))
    environ = {
        "TRADINGSYSTEM_DATA_DIR": str(data_dir),
        "TRADINGSYSTEM_DOWNLOADS_DIR": os.environ.get("TRADINGSYSTEM_DOWNLOADS_DIR", str(ROOT / ".data" / "downloads")),
        **dict(zip(names, map(str, instance.free_ports(len(names))), strict=True)),
    }
    return msgspec.structs.replace(configuration.load(environ, root=data_dir.parent), root=ROOT)
