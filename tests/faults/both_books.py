"""What is written down on both sides: our journal, and the file in which the simulated broker keeps its orders.

Both are read from outside, so that nobody is asked who was killed.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from realtime.orders import records
from realtime.orders.chain import segments
from realtime.orders.entries import Entry
from realtime.orders.journal import records as journal_records
from realtime.orders.ledger import Ledger
from realtime.orders.limits import RiskLimits
from realtime.orders.risk import Limits
from realtime.orders.states import BROKER_FINAL, FINAL, Order, SendUnclear, Status

UNITS = {"account": 100, "sub_account": 100, "ticker": 32, "exchange": 2, "cl_ord_id": 32, "text": 128}
RECORD = np.dtype(
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

RESTING = {0, 1}  # the broker's numbers for an order of which it has been asked nothing
UNCLEAR = {"PENDING", "UNKNOWN"}
Print = tuple[str, int, Decimal]  # side, quantity and price: what tells an order of these tests from all others


class Kept(Struct, frozen=True, kw_only=True):
    """An order as the broker has it now."""

    print: Print  # as it came in
    quantity: int
    price: Decimal
    traded: int
    status: int

    @property
    def ended(self) -> Status | None:
        """What became of it; None while it may still trade."""
        return BROKER_FINAL.get(self.status)


class BrokerFile:
    """Its orders by their id, and the net position that their fills make."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes() if path.is_file() else b""
        rows = np.frombuffer(data[: len(data) // RECORD.itemsize * RECORD.itemsize], RECORD)
        self.orders: dict[str, Kept] = {}
        self.net = 0
        for row in rows:
            name = row["cl_ord_id"].tobytes().decode("utf-16-le").partition("\0")[0]
            before = self.orders.get(name)
            self.orders[name] = _kept(row, before.print if before else None)
            self.net += int(row["fill"]) * (1 if row["side"] == 1 else -1)

    @property
    def working(self) -> dict[str, Kept]:
        """Those that may still trade."""
        return {name: kept for name, kept in self.orders.items() if kept.ended is None}

    def names(self) -> dict[Print, list[str]]:
        """The broker's ids of everything that came in, by what it was: more than one is an order that came twice."""
        found: dict[Print, list[str]] = {}
        for name, kept in self.orders.items():
            found.setdefault(kept.print, []).append(name)
        return found


class Journal:
    """What the journal's files say now."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(RiskLimits(base=Limits()))
        self.prints: dict[str, Print] = {}  # of each order, as it was sent
        self.unclear: set[str] = set()  # orders of which nobody knew whether they had left
        self.taken_over = 0  # positions that the broker had to explain
        for segment in segments(folder):
            for record in journal_records(segment.path):
                entry = records.entry_of(record.kind, record.body)
                if entry is None:
                    continue
                self.ledger.apply(entry, record.number)
                if isinstance(entry, records.Intended):
                    self.prints[entry.order.id] = print_of(entry.order)
                if isinstance(entry, records.Happened) and isinstance(entry.event, SendUnclear):
                    self.unclear.add(entry.order)
                self.taken_over += isinstance(entry, records.TakenOver)

    @property
    def entries(self) -> list[Entry]:
        """All orders, the oldest first."""
        return list(self.ledger.entries.values())

    @property
    def net(self) -> int:
        """The position that their fills make."""
        return sum(position.net for position in self.ledger.positions.values())


def states_of(entry: Entry) -> set[str]:
    """The words for where an order stands; a request counts from its record on."""
    order = entry.order
    found: set[str] = {order.status.value}
    if order.status not in FINAL:
        found |= {"canceling"} if order.canceling or entry.cancel_wanted else set()
        found |= {"replacing"} if order.replacing or entry.change else set()
    return found


def borne_out(state: str, order: Order, kept: Kept | None) -> bool:
    """Whether the broker's file, of the same instant, has the order where the journal says it is."""
    if state in UNCLEAR:  # nobody can tell: that is what these two are
        return True
    if state == Status.FAILED:
        return kept is None
    if kept is None:  # refused, or still on its way there
        return state in (Status.REJECTED, Status.SUBMITTED)
    if state in FINAL:
        return (kept.ended, kept.traded) == (state, order.traded)
    if state == Status.PARTIALLY_FILLED:
        return kept.ended is None and kept.traded >= order.traded
    return kept.ended is None


def apart(order: dict[str, Any], kept: Kept) -> str:
    """How the process tells an order otherwise than the broker has it, or wants what the broker never heard of."""
    status = kept.ended or (Status.PARTIALLY_FILLED if kept.traded else Status.SUBMITTED)
    told = order["status"], order["filledQuantity"], order["quantity"], order["price"]
    if told != (status, kept.traded, kept.quantity, kept.price):
        return f"{order['orderId']} {told}, the broker {kept}"
    asked = [word for word in ("changing", "canceling") if order[word]]
    return f"{order['orderId']} {asked}, the broker {kept.status}" if asked and kept.status in RESTING else ""


def print_of(order: Order) -> Print:
    """What tells an order from all others."""
    return order.side, order.quantity, order.price or Decimal(0)


def _kept(row: Any, came_in: Print | None) -> Kept:
    quantity, price = int(row["quantity"]), Decimal(int(row["price"]))
    return Kept(
        print=came_in or ("BUY" if row["side"] == 1 else "SELL", quantity, price),
        quantity=quantity,
        price=price,
        traded=int(row["traded"]),
        status=int(row["status"]),
    )
