"""Bars made of ticks by the tape's own clock: what the store would call candles, while they happen. No I/O."""

from collections.abc import Iterator

from realtime.strategy import Bar, Tick


class Bars:
    """Open bars of all symbols. Nothing of a bar is told before its end; what comes for it later changes nothing."""

    def __init__(self, seconds: int) -> None:
        self._ms = seconds * 1000
        self.end_ms = 0  # of the open interval
        self._open: dict[str, dict[int, Tick]] = {}  # symbol -> trade id -> as it stands

    def ended(self, now_ms: int) -> Iterator[Bar]:
        """The bars that are over at `now_ms`, by symbol; called with each tick's time before `add`."""
        if now_ms < self.end_ms:
            return
        start, end = self.end_ms - self._ms, self.end_ms
        over, self._open = self._open, {}
        self.end_ms = now_ms - now_ms % self._ms + self._ms
        for symbol in sorted(over):
            trades = sorted(over[symbol].values(), key=lambda tick: (tick.ts_ms, tick.trade_id))
            if trades:
                yield _bar(symbol, trades, start, end)

    def add(self, tick: Tick) -> None:
        """Take a tick in; one that is older than the open interval is left out."""
        trades = self._open.setdefault(tick.symbol, {})
        if tick.what == "cancellation":
            trades.pop(tick.trade_id, None)
        elif tick.what == "trade" and tick.ts_ms >= self.end_ms - self._ms:
            trades[tick.trade_id] = tick
        elif tick.trade_id in trades:  # a correction; the time of the first report stays
            trades[tick.trade_id] = _corrected(trades[tick.trade_id], tick)


def _corrected(first: Tick, now: Tick) -> Tick:
    return Tick(
        first.ts_ms, now.symbol, now.trade_id, now.price, now.quantity, now.aggressor, now.buyer, now.seller, first.what
    )


def _bar(symbol: str, trades: list[Tick], start: int, end: int) -> Bar:
    prices = [trade.price for trade in trades]
    return Bar(
        start_ms=start,
        end_ms=end,
        symbol=symbol,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(trade.quantity for trade in trades),
        trades=len(trades),
    )
