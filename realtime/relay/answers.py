"""Which answers of the DLL's history are stored, and how many of their trades were new: read off the marks."""

import datetime as dt
from collections import deque
from collections.abc import Iterator

from msgspec import Struct, structs

from realtime.spool.frames import HISTORY_ANSWERED, Frame, FrameKind, Mark

MOST_ANSWERS = 1000


class Answer(Struct, frozen=True, kw_only=True):
    """A request of one run that ended. All that came of it is stored; `state` says whether that is all there was."""

    run: int
    number: int
    symbol: str
    since: dt.datetime
    until: dt.datetime
    state: str  # complete, silent, refused, lost
    trades: int  # that came
    new: int  # of these, not stored before; too small after a restart of the relay in the middle of it


def parts_of(frames: list[Frame]) -> Iterator[tuple[list[Frame], Answer | None]]:
    """The frames up to each mark that ends an answer, and that answer; at last those that no such mark follows."""
    part: list[Frame] = []
    for frame in frames:
        part.append(frame)
        if frame.kind == FrameKind.MARK and (answer := _answer(frame)):
            yield part, answer
            part = []
    if part:
        yield part, None


class Answers:
    """Those that are stored, the newest last, in `told`: other threads may copy it at any time."""

    def __init__(self) -> None:
        self.told: deque[Answer] = deque(maxlen=MOST_ANSWERS)
        self._new = 0  # rows of the answer that is on its way

    def stored(self, new: int, answer: Answer | None) -> None:
        """So many rows of history are new in hot; `answer` is whole with them. Read again, an answer is told once."""
        self._new += new
        if answer is None:
            return
        whole = structs.replace(answer, new=self._new)
        self._new = 0
        if (whole.run, whole.number) not in {(known.run, known.number) for known in self.told}:
            self.told.append(whole)


def _answer(frame: Frame) -> Answer | None:
    mark: Mark = frame.said(Mark)
    if mark.reason != HISTORY_ANSWERED:
        return None
    said = mark.detail
    return Answer(
        run=frame.run,
        number=said["number"],
        symbol=said["symbol"],
        since=dt.datetime.fromisoformat(said["since"]),
        until=dt.datetime.fromisoformat(said["until"]),
        state=said["state"],
        trades=said["trades"],
        new=0,
    )
