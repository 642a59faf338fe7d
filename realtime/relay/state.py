"""What the sender remembers, in one small file beside the spool: how far it came, and what is known to be missing.

The file may be a second behind: what is read again then is dropped by identity, and a note has the place it is about as
its key. So a kill at any moment costs no tick and doubles none.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import psutil
import structlog
from msgspec import Struct, field

from realtime.spool.reader import Position
from sql import durable

TAPE_DAYS, NOTE_DAYS, MOST_NOTES = 10, 30, 5_000
SENT_SECONDS = 3_600.0  # hot's files of before are on the disk by then: systems write back within minutes

log = structlog.get_logger("realtime.relay")


class Note(Struct, frozen=True):
    """Why ids may be missing: `loss`, `ring`, `damage`, `hole`, `mark`, `unnamed`, `refused`; or `rewind`."""

    kind: str
    at: dt.datetime  # wall clock of the writer
    run: int
    detail: dict[str, Any]


class Seen(Struct):
    """Rows of one symbol and session that one run brought: how many were new, the ids of the first and the last."""

    rows: int
    first: int
    last: int


class Half(Struct, frozen=True):
    """The first half of a daily aggregate whose second one was not read yet."""

    run: int
    record: bytes
    received: int  # microseconds, UTC


class State(Struct):
    """All of it. `run`, `seq` and `following` are what was read last: the ring's number and the next of the spool."""

    position: Position = Position()
    run: int = 0
    seq: int | None = None
    following: int | None = None
    wall: int = 0  # of the frame that was read last, nanoseconds; 0: none since a rewind
    boot: str = ""
    incarnation: str = ""  # of the hot table
    taken: int = 0  # transactions of it
    sent: dict[int, float] = {}  # segment -> wall clock of the last acknowledgement of rows of it
    tape: dict[str, dict[int, Seen]] = {}  # "SYMBOL session" -> run -> what it brought
    notes: dict[str, Note] = {}  # place and kind -> note
    forgotten: int = 0  # notes that were pruned before their time
    missing: dict[str, int] = field(default_factory=dict)  # records: loss, ring …
    half: Half | None = None

    def note(self, place: str, note: Note, records: int = 0) -> bool:
        """Remember; False when it is known already. `records`: so many are missing for it."""
        key = f"{place} {note.kind}"
        if key in self.notes:
            return False
        self.notes[key] = note
        if records:
            self.missing[note.kind] = self.missing.get(note.kind, 0) + records
        return True

    def saw(self, symbol: str, session: dt.date, run: int, seen: Seen) -> None:
        """Add new rows of a symbol's session."""
        runs = self.tape.setdefault(f"{symbol} {session}", {})
        before = runs.get(run)
        runs[run] = Seen(before.rows + seen.rows, before.first, seen.last) if before else seen

    def prune(self, now: dt.datetime) -> None:
        """Forget what is old: the ledger and the evidence know it."""
        oldest = (now - dt.timedelta(days=TAPE_DAYS)).date().isoformat()
        self.tape = {key: runs for key, runs in self.tape.items() if key.rpartition(" ")[2] >= oldest}
        since = now - dt.timedelta(days=NOTE_DAYS)
        kept = {key: note for key, note in self.notes.items() if note.at >= since}
        surplus = len(kept) - MOST_NOTES
        if surplus > 0:
            self.forgotten += surplus
            kept = dict(list(kept.items())[surplus:])
        self.notes = kept
        newest = max(self.sent.values(), default=0.0)
        self.sent = {segment: at for segment, at in self.sent.items() if at >= newest - SENT_SECONDS}

    def rewound(self) -> Position:
        """Where everything begins of which hot may have lost what it acknowledged before the machine went down."""
        return min([Position(segment) for segment in self.sent], default=self.position)


def load(path: Path) -> State | None:
    """What was saved; None when there is nothing, or nothing that can be read: then all segments are read again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        log.error("sender_state_unreadable", file=str(path), reason=str(error))  # noqa: TRY400 - all is read again
        return None


def save(path: Path, state: State) -> None:
    """Durable when this returns. Raises OSError."""
    durable.replace(path, msgspec.json.encode(state))


def boot_id() -> str:
    """Changes when the machine starts."""
    path = Path("/proc/sys/kernel/random/boot_id")
    if path.is_file():
        return path.read_text(encoding="ascii").strip()
    return str(round(psutil.boot_time(), -1))  # a step of the clock looks like a boot: that costs time, no tick
