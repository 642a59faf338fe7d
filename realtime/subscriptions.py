"""What is subscribed: the configured symbols, and those asked for at run time, which outlive a restart.

A continuous series (WINFUT) is never subscribed itself: it stands for the dated contract of the session, so that no
series mixes two contracts, and rolls by itself.
"""

import datetime as dt
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from sql import durable
from sql.exchange import Market, contract_of, market_of


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One symbol, or one series of contracts, with what is wanted of it beside trades, quotes and the daily sums."""

    symbol: str
    market: Market
    depth: bool = False  # the book by price
    offers: bool = False  # the book by order

    def at(self, session: dt.date) -> "Wanted":
        """What to subscribe in a session: a series becomes its contract."""
        contract = contract_of(self.symbol, session)
        return msgspec.structs.replace(self, symbol=contract) if contract else self


class SubscriptionsError(Exception):
    """The file of subscriptions cannot be read; the message names it."""


class Subscriptions:
    """The wanted symbols by name. `path` keeps those that were added or taken away at run time."""

    def __init__(self, path: Path, configured: Iterable[Wanted]) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._wanted = {wanted.symbol: wanted for wanted in configured}
        self._changed: dict[str, Wanted | None] = {}
        if path.is_file():
            try:
                self._changed = msgspec.json.decode(path.read_bytes(), type=dict[str, Wanted | None])
            except msgspec.MsgspecError as error:
                raise SubscriptionsError(f"{path}: symbols expected, found {error}; mend or delete it") from error
        for symbol, wanted in self._changed.items():
            self._apply(symbol, wanted)

    def all(self) -> tuple[Wanted, ...]:
        """In the order in which they came."""
        with self._lock:
            return tuple(self._wanted.values())

    def at(self, session: dt.date) -> dict[str, Wanted]:
        """What to subscribe in a session: symbol -> wanted. A series and its contract are one."""
        found: dict[str, Wanted] = {}
        for wanted in self.all():
            dated = wanted.at(session)
            other = found.get(dated.symbol, dated)
            found[dated.symbol] = msgspec.structs.replace(
                dated, depth=dated.depth or other.depth, offers=dated.offers or other.offers
            )
        return found

    def add(self, wanted: Wanted) -> None:
        """Want a symbol, or want more or less of it; durable when this returns."""
        self._change(wanted.symbol, wanted)

    def remove(self, symbol: str) -> bool:
        """Want a symbol no more, also not after a restart; False when nobody wanted it."""
        if symbol not in {wanted.symbol for wanted in self.all()}:
            return False
        self._change(symbol, None)
        return True

    def _change(self, symbol: str, wanted: Wanted | None) -> None:
        with self._lock:
            self._changed[symbol] = wanted
            durable.replace(self._path, msgspec.json.encode(self._changed))
            self._apply(symbol, wanted)

    def _apply(self, symbol: str, wanted: Wanted | None) -> None:
        if wanted is None:
            self._wanted.pop(symbol, None)
        else:
            self._wanted[symbol] = wanted


def parsed(symbols: str, depth: str = "", offers: str = "") -> list[Wanted]:
    """The symbols of the settings, separated by blanks or commas; `SYMBOL:F` or `:B` where the shape misleads.

    Raises ValueError for a market other than F and B, and for a book of a symbol that is not wanted.
    """
    with_depth, with_offers = _names(depth), _names(offers)
    found: dict[str, Wanted] = {}
    for name in _names(symbols):
        symbol, _, market = name.partition(":")
        if market not in ("", "F", "B"):
            raise ValueError(f"{name}: market F (futures) or B (cash) expected after the colon, found {market!r}")
        chosen: Market = "F" if (market or market_of(symbol)) == "F" else "B"
        found[symbol] = Wanted(symbol=symbol, market=chosen, depth=symbol in with_depth, offers=symbol in with_offers)
    if unknown := [name for name in (*with_depth, *with_offers) if name not in found]:
        raise ValueError(f"{', '.join(unknown)}: a book is wanted of a symbol that is not among {', '.join(found)}")
    return list(found.values())


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.upper().replace(",", " ").split()))
