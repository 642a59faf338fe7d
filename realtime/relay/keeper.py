"""The keeper of the tape: judges sessions, and asks the broker's history for what is missing, one request at a time.

A thread of the relay beside the sender, which it never holds up. All it knows is in the ledger; what is only here (the
request in flight, what an identical one brought) may be lost at any moment and is asked for again.
"""

import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import structlog
from msgspec import Struct

from realtime.relay.answers import Answer
from realtime.relay.asking import Asked, Broker, Later, Refused
from realtime.relay.causes import cause_of, heard_until, listened
from realtime.relay.kept import Kept
from realtime.relay.sender import Sender
from sql import completeness, tape_asks, tape_ledger
from sql.errors import StoreError
from sql.exchange import SAO_PAULO
from sql.gaps import HISTORY_DAYS, Window, windows
from sql.hot import HotStore
from sql.sessions_expected import Pair, lost_whole
from sql.warm import WarmStore

LOOK_SECONDS = 1.0
JUDGE_SECONDS = 30.0  # between two looks at what changed and at the last sessions that are not settled
OLD_SECONDS = 600.0  # the same for older ones: their rows are read again each time
RECENT = dt.timedelta(days=3)
AGAIN_SECONDS = 5.0  # before asking again who is not there
OVERDUE_SECONDS = 20.0  # an answer that ended and was not stored by then is not waited for
MOST_REPEATS = 6  # of an identical request, until two answers agree
DAY = dt.timedelta(days=1)

log = structlog.get_logger("realtime.relay")


class Flight(Struct, kw_only=True):
    """The request that is answered now."""

    window: Window
    asked: Asked
    since: float
    looked: float
    ended_since: float | None = None


class Keeper:
    """Runs in one thread until `stop` is set. `fill` false: it judges and asks for nothing."""

    def __init__(
        self,
        sender: Sender,
        hot: HotStore,
        warm: WarmStore,
        broker: Broker,
        stop: threading.Event,
        *,
        fill: bool = True,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress = Kept()
        self._sender = sender
        self._hot, self._warm, self._broker = hot, warm, broker
        self._stop = stop
        self._fill = fill
        self._now = now
        self._clock = clock
        self._judged_at = float("-inf")
        self._judged_old_at = float("-inf")
        self._marks = 0  # notes of the sender at the last round
        self._rows: dict[Pair, int] = {}  # what capture had brought of each session by then
        self._flight: Flight | None = None
        self._not_before = 0.0
        self._again: Window | None = None
        self._said: dict[Window, list[int]] = {}  # an identical request -> trades of its complete answers

    def run(self) -> None:
        """Keep until stopped. What fails is tried again."""
        while not self._stop.wait(LOOK_SECONDS):
            self.progress.alive_at = self._clock()
            try:
                self.step()
            except Exception as error:  # the top of the loop: the sender must not feel it, and it is tried again
                self._failed(error)
            else:
                self.progress.last_error = self.progress.failing_since = None
        self._broker.close()

    def step(self) -> None:
        """One look: take an answer, judge what may have changed, ask for what is due. Raises StoreError."""
        if self._flight is not None and not self._taken(self._flight):
            self._judge_if_due(forced=False)
            return
        self._judge_if_due(forced=self._noticed())
        if self._fill and self._clock() >= self._not_before:
            self._ask()

    # --- judging ---

    def _noticed(self) -> bool:
        """Whether capture began, or lost or found the market, since the last look."""
        return len(self._sender.state.notes) != self._marks

    def _judge_if_due(self, *, forced: bool) -> None:
        if forced or self._clock() - self._judged_at >= JUDGE_SECONDS:
            self.judge_all()

    def judge_all(self) -> None:
        """Judge every session that may have changed or is not settled. Raises StoreError."""
        self._marks = len(self._sender.state.notes)
        self._watch()
        rows = {
            _pair(key): sum(seen.rows for seen in list(runs.values()))
            for key, runs in list(self._sender.state.tape.items())
        }
        for session, symbols in sorted(self._due(rows).items(), reverse=True):
            self._judge(session, symbols)
        self._rows = rows
        self.progress.gaps, self.progress.sessions = tape_ledger.counts(self._warm)
        self._judged_at = self._clock()

    def _due(self, rows: Mapping[Pair, int]) -> dict[dt.date, set[str]]:
        """The sessions to judge: those that capture brought, those that are not settled, and those lost whole."""
        today = self._now().astimezone(SAO_PAULO).date()
        since = today - dt.timedelta(days=HISTORY_DAYS)
        known = tape_ledger.known_sessions(self._warm, since, of=tape_asks.LIVE)
        old = self._clock() - self._judged_old_at >= OLD_SECONDS
        if old:
            self._judged_old_at = self._clock()
        standing = self._broker.standing()
        wanted = {pair for pair, count in rows.items() if self._rows.get(pair) != count}
        wanted |= {pair for pair, state in known.items() if state != "proven" and (old or pair[1] >= today - RECENT)}
        wanted |= lost_whole(known, standing.symbols if standing else (), today, since)
        found: dict[dt.date, set[str]] = {}
        for symbol, session in wanted:
            if session >= since:
                found.setdefault(session, set()).add(symbol)
        return found

    def _judge(self, session: dt.date, symbols: Iterable[str]) -> None:
        notes = list(self._sender.state.notes.values())
        completeness.judge_session(
            self._hot,
            self._warm,
            session,
            sorted(symbols),
            cause=lambda where: cause_of(where, notes),
            now=self._now(),
        )

    def _watch(self) -> None:
        """Keep when market data was up: what was not told in there was not traded."""
        behind = self._sender.unread_since()  # before the notes: what is read meanwhile is in them
        found = listened(list(self._sender.state.notes.values()))
        standing, requests = self._broker.standing(), self._broker.requests()
        live = standing is not None and standing.link == "Active"
        run = requests.run if requests else None
        now = self._now()
        times = []
        for each in found:
            until = heard_until(each, now, live=live and each.run == run, behind=behind)
            times.append((each.run, each.since, until, each.until is not None))
        tape_asks.watched(self._warm, times)

    # --- asking ---

    def _ask(self) -> None:
        now = self._now()
        window = self._again
        if window is None:
            since = now.astimezone(SAO_PAULO).date() - dt.timedelta(days=HISTORY_DAYS)
            due = windows(tape_asks.askable(self._warm, since), now)
            window = min(due, key=lambda each: each.until - each.since, default=None)
        if window is None:
            self.progress.waits_for = None
            return
        answer = self._broker.ask(window)
        if isinstance(answer, Later):
            self.progress.waits_for = answer.why
            self._not_before = self._clock() + AGAIN_SECONDS
            return
        self.progress.waits_for = self._again = None
        if isinstance(answer, Refused):
            tape_asks.refused(self._warm, window, answer.why, now)
            self.judge_all()
            return
        self.progress.asked += 1
        self._flight = Flight(window=window, asked=answer, since=self._clock(), looked=self._clock())
        tape_asks.asked(self._warm, window, answer.number, now)

    def _taken(self, flight: Flight) -> bool:
        """Whether the request in flight is over, and what it brought is in the ledger."""
        answer = self._answer_to(flight)
        if answer is None and not self._lost(flight):
            return False
        self._flight = None
        window, now = flight.window, self._now()
        if answer is None:
            tape_asks.unanswered(self._warm, window, "lost: the process that asked is gone", now)
            return True
        self.progress.answered += 1
        if answer.state == "complete":
            self._complete(window, answer, now)
        elif answer.state == "refused":
            tape_asks.refused(self._warm, window, "the broker refuses it", now)
        else:
            tape_asks.unanswered(self._warm, window, answer.state, now)
        self._judge_around(window)
        return True

    def _complete(self, window: Window, answer: Answer, now: dt.datetime) -> None:
        """An answer that ended well. Only when an identical one brings nothing more, it is all there is."""
        said = self._said.setdefault(window, [])
        said.append(answer.trades)
        agreed = answer.new == 0 and len(said) > 1 and said[-2] == said[-1]
        tape_asks.answered(self._warm, window, answer.trades, answer.new, now)
        self._judge_around(window)
        if agreed:
            tape_asks.exhausted(self._warm, window, f"two equal answers of {answer.trades:,} trades", now)
        elif len(said) < MOST_REPEATS and tape_asks.still_missing(self._warm, window):
            self._again = window
            return
        self._said.pop(window, None)

    def _answer_to(self, flight: Flight) -> Answer | None:
        wanted = (flight.asked.run, flight.asked.number)
        answers: deque[Answer] = self._sender.progress.answers
        return next((each for each in list(answers) if (each.run, each.number) == wanted), None)

    def _lost(self, flight: Flight) -> bool:
        """Whether no answer will come: the process that asked is another one by now, or does not know of it.

        What was spooled by then is awaited while it waits for hot: the answer may be there.
        """
        if self._clock() - flight.looked < AGAIN_SECONDS:
            return False
        flight.looked = self._clock()
        requests = self._broker.requests()
        if requests is None:
            return False  # it may be starting anew; then its run says so
        if requests.run == flight.asked.run and requests.asking and requests.asking.number == flight.asked.number:
            flight.ended_since = None
            return False
        if flight.ended_since is None:
            flight.ended_since = self._clock()
        over, behind = self._clock() - flight.ended_since, self._sender.unread_since()
        stored = behind is None or (self._now() - behind).total_seconds() < over
        return over >= OVERDUE_SECONDS and stored

    def _judge_around(self, window: Window) -> None:
        begin, end = (at.astimezone(SAO_PAULO).date() for at in (window.since, window.until))
        sessions = {begin + n * DAY for n in range((end - begin).days + 1)}
        for session in sorted(sessions & tape_asks.sessions_of(self._warm, window)):
            self._judge(session, [window.symbol])
        self.progress.gaps, self.progress.sessions = tape_ledger.counts(self._warm)

    def _failed(self, error: Exception) -> None:
        progress = self.progress
        progress.failures += 1
        first = progress.last_error is None
        progress.last_error = str(error) or repr(error)
        progress.failing_since = progress.failing_since or self._clock()
        if first and isinstance(error, StoreError):
            log.warning("keeper_waits", reason=str(error))
        elif first:
            log.error("keeper_cannot_go_on", exc_info=error)


def _pair(key: str) -> Pair:
    symbol, _, session = key.rpartition(" ")
    return symbol, dt.date.fromisoformat(session)
