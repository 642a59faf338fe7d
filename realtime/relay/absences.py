"""What is known to be missing, read off the frames: holes in the ring's numbers, losses, damages, reasons for more."""

import datetime as dt
from typing import Any

import msgspec
import numpy as np
import structlog

from realtime.relay.state import Note, State
from realtime.spool.frames import HISTORY_ANSWERED, HISTORY_ASKED, Frame, FrameKind, Loss, Mark
from realtime.spool.reader import Position
from realtime.spool.segments import Damage

log = structlog.get_logger("realtime.relay")


def instant(nanoseconds: int) -> dt.datetime:
    """Nanoseconds since 1970 as an instant."""
    return dt.datetime.fromtimestamp(nanoseconds / 1e9, dt.UTC)


class Absences:
    """Writes notes into the state while frames go by in their order."""

    def __init__(self, state: State) -> None:
        self._state = state

    def damage(self, at: Position, damage: Damage) -> None:
        """A place that cannot be read; how many records it held shows in the frame that follows."""
        now = dt.datetime.now(dt.UTC)
        detail = msgspec.to_builtins(damage)
        self._state.note(f"{at.segment}:{at.offset}", Note("damage", now, self._state.run, detail))

    def read(self, frame: Frame) -> None:
        """One frame. A new run begins without a past: how the one before ended, its mark says."""
        state = self._state
        if frame.run != state.run:
            state.run, state.seq = frame.run, None
        if state.following is not None and frame.first > state.following:
            self._tell(frame, "hole", frame.first - state.following, first=state.following, last=frame.first - 1)
            state.seq = None  # what the ring dropped in there cannot be told from it
        state.following = frame.following
        if frame.kind == FrameKind.RECORDS:
            self._ring(frame)
        elif frame.kind == FrameKind.LOSS:
            self._loss(frame, frame.said(Loss))
        elif frame.kind == FrameKind.MARK:
            mark: Mark = frame.said(Mark)
            if mark.reason not in (HISTORY_ASKED, HISTORY_ANSWERED):  # no reason for anything to be missing
                self._tell(frame, "mark", 0, reason=mark.reason, **mark.detail)
        state.wall = frame.wall

    def _ring(self, frame: Frame) -> None:
        """Numbers that the ring gave and nobody saw."""
        seqs = frame.records()["seq"]
        state = self._state
        before = state.seq if state.seq is not None else int(seqs[0]) - 1
        state.seq = int(seqs[-1])
        missing = int(seqs[-1]) - before - len(seqs)
        if missing == 0:
            return
        steps = np.diff(seqs, prepend=before)
        for place in np.flatnonzero(steps > 1).tolist():
            first, last = int(seqs[place] - steps[place]) + 1, int(seqs[place]) - 1
            self._tell(frame, "ring", last - first + 1, part=f" {first}", first_seq=first, last_seq=last)

    def _loss(self, frame: Frame, loss: Loss) -> None:
        before = self._state.seq
        if before is not None and loss.first_seq > before + 1:
            self._tell(frame, "ring", loss.first_seq - before - 1, first_seq=before + 1, last_seq=loss.first_seq - 1)
        ring = loss.last_seq - loss.first_seq + 1 - frame.count
        self._state.seq = loss.last_seq
        self._tell(frame, "loss", frame.count, ring_drops_within=ring, **msgspec.to_builtins(loss))
        if ring > 0:
            self._state.missing["ring"] = self._state.missing.get("ring", 0) + ring

    def _tell(self, frame: Frame, kind: str, records: int, part: str = "", **detail: Any) -> None:
        if kind != "mark" and self._state.wall:  # what is missing came between the frame before and this one
            detail["after"] = instant(self._state.wall).isoformat()
        note = Note(kind, instant(frame.wall), frame.run, detail)
        told = self._state.note(f"{frame.segment}:{frame.offset}{part}", note, records)
        if told and kind != "mark":
            log.error("ticks_known_to_be_missing", kind=kind, run=frame.run, records=records, detail=detail)
