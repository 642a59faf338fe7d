"""The paper broker: an exchange of our own behind the live or a replayed tape. What its fills rest on: `matching.py`.

It takes every kind and validity. Orders that were sent before the login keep their exchange's id and lose their local
one, as at a real broker; day orders end at the session's close; the book survives a restart in one file.
"""

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from msgspec import Struct, structs

from realtime.orders import forms, matching
from realtime.orders.broker import (
    OPEN,
    AccountId,
    AccountsNews,
    Gate,
    Held,
    LinkNews,
    ListLoaded,
    NewOrder,
    News,
    NewsQueue,
    NotLoadedError,
    NotReadyError,
    NotSentError,
    OrderKey,
    OrderNews,
    PositionNews,
    Report,
    RequestNews,
    Sent,
    UnknownOrderError,
)
from realtime.orders.matching import Rules, Seen, Trade, Waiting
from realtime.orders.paper_book import Book, BookError, Holding, Placed, filled, session_of
from sql.exchange import SAO_PAULO, close_after, instrument_of

# The broker's numbers, as in `realtime.orders.states` and the messages of a request.
NEW, PARTIAL, FILLED, CANCELED, REPLACED, EXPIRED, PARTIAL_CANCELED, PARTIAL_EXPIRED = 0, 1, 2, 4, 5, 12, 15, 17
ACCEPTED, REJECTED_BY_MARKET = 10, 9
ACCOUNT = AccountId(0, "PAPER")


class Model(Struct, frozen=True, kw_only=True):
    """What the paper exchange takes for granted: ticks that whoever takes loses, lots that stand ahead unseen."""

    slippage_ticks: int = 1
    queue_lots: int = 100
    always_open: bool = False  # invented markets never close; day orders end at midnight then


class PaperBroker:
    """A `Broker` whose exchange is here. `trade` and `quote` bring the market, from any one thread."""

    call_seconds = 1.0

    def __init__(
        self,
        path: Path | None = None,
        *,
        accounts: Sequence[AccountId] = (ACCOUNT,),
        model: Model = Model(),  # noqa: B008 - a frozen value
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        instruments: forms.Lookup = instrument_of,
    ) -> None:
        self._instruments = instruments
        self._accounts = list(accounts)
        self._model = model
        self._now = now
        self._lock = threading.Lock()
        self._book = Book(path, now())
        self._next = max(self._book.orders, default=0) + 1
        self._working = {number for number, placed in self._book.orders.items() if not placed.over}
        self._soonest = self._first_end()
        self._seen: dict[str, Seen] = {}
        self._local: dict[int, int] = {}  # this login's ids of the orders
        self._numbers: list[int] = []  # the other way round; a local id counts from 1
        self._exchange = {placed.exchange_id: number for number, placed in self._book.orders.items()}
        self._messages = 0
        self._loaded: dict[AccountId, dt.datetime] = {}
        self._closed = False
        self._news = NewsQueue()
        for news in (LinkNews(True), AccountsNews()):
            self._news.put(news)

    # The market

    def trade(self, trade: Trade) -> None:
        """A trade of the tape, in the tape's order. Raises BookError when a fill cannot be written."""
        with self._lock:
            self._expire()
            self._seen[trade.symbol] = structs.replace(self._seen.get(trade.symbol, Seen()), last=trade.price)
            if not self._working:
                return
            orders = [self._book.orders[number].waiting for number in sorted(self._working)]
            for step in matching.steps(orders, trade, self._rules(trade.symbol)):
                self._step(self._book.orders[step.order.number], step)

    def wants(self, symbol: str) -> bool:
        """Whether each trade of a symbol matters now; where no order works its last one is enough."""
        with self._lock:
            return any(self._book.orders[number].waiting.symbol == symbol for number in self._working)

    def quote(self, symbol: str, *, buy: bool, price: Decimal, quantity: int) -> None:
        """The best price of one side and what stands there; without quotes the model's guess counts."""
        with self._lock:
            seen = self._seen.get(symbol, Seen())
            self._seen[symbol] = (
                structs.replace(seen, bid=price, bid_quantity=quantity)
                if buy
                else structs.replace(seen, ask=price, ask_quantity=quantity)
            )

    # The broker

    @property
    def ready(self) -> bool:
        return not self._closed and bool(self._accounts)

    def accounts(self) -> list[AccountId]:
        return list(self._accounts)

    def shaped(self, order: NewOrder) -> NewOrder:
        forms.check(order, self._instruments)
        return order

    def send(self, order: NewOrder, gate: Gate = OPEN) -> Sent:
        order = self.shaped(order)
        with self._lock, gate:
            self._check_account(order.account)
            waiting = Waiting(
                number=self._next,
                symbol=order.symbol,
                side=order.side,
                kind=order.kind,
                quantity=order.quantity,
                price=order.price,
                stop=order.stop,
                time_in_force=order.time_in_force,
            )
            now = self._now()
            others = [self._book.orders[number].waiting for number in self._working]
            placed = Placed(
                exchange_id=f"P{session_of(now):%Y%m%d}{self._next:08d}",
                account=order.account,
                waiting=matching.placed(waiting, others, self._market(order.symbol), self._rules(order.symbol)),
                status=NEW,
                created=now,
                updated=now,
                ends=None if order.time_in_force == "GTC" else self._end_of(order.symbol, now),
            )
            try:
                self._book.keep(placed)
            except BookError as error:
                raise NotSentError(str(error)) from error
            return self._accepted(placed)

    def change(
        self,
        account: AccountId,
        key: OrderKey,
        *,
        quantity: int,
        price: Decimal | None,
        stop: Decimal | None = None,
        gate: Gate = OPEN,
    ) -> Sent:
        with self._lock, gate:
            placed = self._found(account, key)
            symbol = placed.waiting.symbol
            forms.check_change(forms.known(symbol, self._instruments), placed.waiting.kind, quantity, price, stop)
            if placed.over:
                return self._refused(placed, "the order is over")
            if quantity <= placed.waiting.traded:
                return self._refused(placed, f"{placed.waiting.traded} have traded")
            seen, rules = self._market(symbol), self._rules(symbol)
            after = matching.changed(placed.waiting, quantity=quantity, price=price, stop=stop, seen=seen, rules=rules)
            changed = structs.replace(placed, waiting=after, status=PARTIAL if after.traded else REPLACED)
            return self._granted(changed)

    def cancel(self, account: AccountId, key: OrderKey) -> Sent:
        with self._lock:
            placed = self._found(account, key)
            return self._refused(placed, "the order is over") if placed.over else self._canceled(placed)

    def cancel_all(self, account: AccountId) -> None:
        with self._lock:
            self._check_account(account)
            for number in sorted(self._working):
                if (placed := self._book.orders[number]).account == account:
                    self._canceled(placed)

    def load(self, account: AccountId, since: dt.datetime) -> None:
        with self._lock:
            self._check_account(account)
            self._loaded[account] = min(since, self._loaded.get(account, since))
            self._news.put(ListLoaded(account))

    def listed(self, account: AccountId) -> list[Report]:
        with self._lock:
            if (since := self._loaded.get(account)) is None:
                raise NotLoadedError(f"the orders of {account} were not loaded")
            return [
                self._report(placed)
                for placed in self._book.orders.values()
                if placed.account == account and placed.created >= since
            ]

    def position(self, account: AccountId, symbol: str) -> Held | None:
        with self._lock:
            self._check_account(account)
            holding = self._book.holdings.get((account, symbol))
            return None if holding is None else _held(holding, session_of(self._now()))

    def positions(self, account: AccountId) -> list[Held]:
        with self._lock:
            self._check_account(account)
            today = session_of(self._now())
            return [_held(each, today) for each in self._book.holdings.values() if each.account == account]

    def news(self) -> list[News]:
        with self._lock:
            self._expire()
        return self._news.take()

    def wait(self, seconds: float) -> bool:
        return self._news.wait(seconds)

    def wake(self) -> None:
        self._news.wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._book.close()

    # What becomes of orders

    def _step(self, placed: Placed, step: matching.Step) -> None:
        after, now = step.order, self._now()
        placed = structs.replace(placed, waiting=after)
        if not step.quantity and not step.over:  # only its place: not worth a line of the file
            self._book.orders[after.number] = placed
            return
        status = FILLED if not after.leaves else PARTIAL
        if step.over:
            status = PARTIAL_CANCELED if after.traded else CANCELED
        placed = structs.replace(
            placed,
            money=placed.money + step.quantity * step.price,
            status=status,
            updated=now,
            over=status != PARTIAL,
            text="what could not trade at once is cancelled" if step.over else placed.text,
        )
        if not step.quantity:
            self._told(placed)
            return
        empty = Holding(account=placed.account, symbol=after.symbol, session=session_of(now))
        holding = self._book.holdings.get((placed.account, after.symbol), empty)
        self._told(placed, filled(holding, after.side, step.quantity, step.price, session_of(now)))
        self._news.put(PositionNews(placed.account, after.symbol))

    def _accepted(self, placed: Placed) -> Sent:
        number = placed.waiting.number
        self._next = number + 1
        self._numbers.append(number)
        self._local[number] = len(self._numbers)
        self._exchange[placed.exchange_id] = number
        self._working.add(number)
        self._soonest = self._first_end()
        sent = self._answered(placed, ACCEPTED)
        self._news.put(OrderNews(self._report(placed)))
        return sent

    def _canceled(self, placed: Placed) -> Sent:
        status = PARTIAL_CANCELED if placed.waiting.traded else CANCELED
        return self._granted(structs.replace(placed, status=status, over=True))

    def _granted(self, placed: Placed) -> Sent:
        try:
            self._told(structs.replace(placed, updated=self._now()))
        except BookError as error:
            raise NotSentError(str(error)) from error
        return self._answered(placed, ACCEPTED)

    def _refused(self, placed: Placed, why: str) -> Sent:
        return self._answered(placed, REJECTED_BY_MARKET, why)

    def _answered(self, placed: Placed, code: int, text: str = "") -> Sent:
        self._messages += 1
        local_id = self._local.get(placed.waiting.number)
        self._news.put(RequestNews(message=self._messages, local_id=local_id, code=code, text=text))
        return Sent(local_id or -1, self._messages)

    def _told(self, placed: Placed, *holding: Holding) -> None:
        self._book.keep(placed, *holding)
        if placed.over:
            self._working.discard(placed.waiting.number)
        self._news.put(OrderNews(self._report(placed)))

    def _expire(self) -> None:
        """End what is past its time; looked at whenever somebody calls."""
        if self._soonest is None or (now := self._now()) < self._soonest:
            return
        for number in sorted(self._working):
            placed = self._book.orders[number]
            if placed.ends is not None and now >= placed.ends:
                status = PARTIAL_EXPIRED if placed.waiting.traded else EXPIRED
                self._told(structs.replace(placed, status=status, updated=now, over=True))
        self._soonest = self._first_end()

    def _first_end(self) -> dt.datetime | None:
        return min((end for number in self._working if (end := self._book.orders[number].ends)), default=None)

    # What is known

    def _check_account(self, account: AccountId) -> None:
        if self._closed:
            raise NotReadyError("the paper broker is closed")
        if account not in self._accounts:
            raise NotSentError(
                f"expected one of {', '.join(map(str, self._accounts))}, found {account}", "NL_NOT_FOUND"
            )

    def _found(self, account: AccountId, key: OrderKey) -> Placed:
        self._check_account(account)
        if key.exchange_id is not None:
            number = self._exchange.get(key.exchange_id)
        else:
            local = key.local_id or 0
            number = self._numbers[local - 1] if 0 < local <= len(self._numbers) else None
        placed = None if number is None else self._book.orders[number]
        if placed is None or placed.account != account:
            raise UnknownOrderError(f"{account} has no order {key.exchange_id or key.local_id}")
        return placed

    def _report(self, placed: Placed) -> Report:
        waiting = placed.waiting
        return Report(
            key=OrderKey(self._local.get(waiting.number), placed.exchange_id),
            account=placed.account,
            symbol=waiting.symbol,
            side=waiting.side,
            kind=waiting.kind,
            quantity=waiting.quantity,
            traded=waiting.traded,
            average_price=placed.money / waiting.traded if waiting.traded else Decimal(0),
            price=waiting.price,
            stop=waiting.stop,
            status=placed.status,
            created=placed.created,
            updated=placed.updated,
            text=placed.text,
        )

    def _market(self, symbol: str) -> Seen:
        return self._seen.get(symbol, Seen())

    def _rules(self, symbol: str) -> Rules:
        instrument = self._instruments(symbol)
        tick, lot = (Decimal(str(instrument.tick_size)), instrument.lot) if instrument else (Decimal(0), 1)
        return Rules(slippage=self._model.slippage_ticks * tick, queue=self._model.queue_lots * lot)

    def _end_of(self, symbol: str, now: dt.datetime) -> dt.datetime:
        if self._model.always_open:
            midnight = dt.datetime.combine(session_of(now) + dt.timedelta(days=1), dt.time(), SAO_PAULO)
            return midnight.astimezone(dt.UTC)
        return close_after(symbol, now)


def _held(holding: Holding, today: dt.date) -> Held:
    day = holding if holding.session == today else Holding(account=holding.account, symbol="", session=today)
    return Held(
        account=holding.account,
        symbol=holding.symbol,
        quantity=holding.quantity,
        average_price=holding.average,
        bought=day.bought,
        bought_average=day.bought_money / day.bought if day.bought else Decimal(0),
        sold=day.sold,
        sold_average=day.sold_money / day.sold if day.sold else Decimal(0),
    )
