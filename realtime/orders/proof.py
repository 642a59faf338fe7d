"""The proof of a journal: every record of every file against the chain, and its length against what was seen of it.

Offline, reads only. What was seen is the head beside it, and what others were told of the journal (warm).
"""

import hmac
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from realtime.orders import chain
from realtime.orders.chain import Head, Segment


class Seen(Struct, frozen=True):
    """A record that somebody else has seen, and its hash."""

    number: int
    mac: str
    where: str


class Verdict(Struct, frozen=True, kw_only=True):
    """What a verification found. `records`: the number of the last one; up to `since` nothing was looked at, or it was
    removed in its time. `torn` bytes at the end belong to a record that was being written at a power cut.
    """

    holds: bool
    records: int
    mac: str
    torn: int = 0
    wrong: str | None = None
    since: int = 0


class Start(Struct, frozen=True):
    """Where reading may begin: after record `number`, whose hash is `mac`."""

    number: int
    mac: str


def verify(
    path: Path, head_path: Path, key: bytes, *, seen: Sequence[Seen] = (), start: Start | None = None
) -> Verdict:
    """Prove every record of a journal and its length; `path` is the file that is written, older ones stand beside it.

    `start`: only what follows it. Raises JournalError when the head or what stands for removed files cannot be read.
    """
    return chain.patiently(lambda: _verified(path, head_path, key, seen, start))


def _verified(path: Path, head_path: Path, key: bytes, seen: Sequence[Seen], start: Start | None) -> Verdict:
    head, folder = chain.read_head(head_path), path.parent
    files = chain.segments(folder)
    if (wrong := _wrong_head(head, files, path, head_path, key)) is not None:
        return Verdict(holds=False, records=0, mac=chain.BEGINNING, wrong=wrong)
    begins = start or beginning(folder, key)
    expected = [*seen, *([Seen(head.number, head.mac, "the head")] if head else [])]
    found = _walked([each for each in files if each.first > begins.number], begins, key, expected)
    short = any(each.number > found.records for each in expected)
    if (short or not found.holds) and chain.segments(folder) != files:  # one was put aside while this was reading
        return _verified(path, head_path, key, seen, start)
    if not found.holds:
        return found
    for each in expected:
        if each.number > found.records:
            wrong = f"{path}: {found.records} records, and {each.where} has seen {each.number}: the tail was cut"
            return msgspec.structs.replace(found, holds=False, wrong=f"{wrong} or another was put there")
    return found


def beginning(folder: Path, key: bytes) -> Start:
    """What the oldest record that is kept must be chained to. Raises JournalError."""
    anchor = chain.anchor_of(folder, key)
    return Start(anchor.number, anchor.mac) if anchor else Start(0, chain.BEGINNING)


def newest_start(folder: Path, key: bytes, number: int | None = None) -> tuple[Start, list[Segment]]:
    """From where on a process needs the journal, and the files with that. Raises JournalError.

    That is the newest file that begins with all that is known, and leaves no record after `number` out.
    """
    return chain.patiently(lambda: _newest_start(folder, key, number))


def _newest_start(folder: Path, key: bytes, number: int | None) -> tuple[Start, list[Segment]]:
    files = chain.segments(folder)
    needed = pages(files, number)
    older = files[: len(files) - len(needed)]
    if not older:
        return beginning(folder, key), needed
    return Start(*chain.last_link(older[-1].path)), needed


def pages(files: Sequence[Segment], number: int | None = None) -> list[Segment]:
    """The files from the newest on that begins with all that is known; all of them where none does."""
    for place in range(len(files) - 1, 0, -1):
        if (number is None or files[place].first <= number + 1) and chain.begins_with_all(files[place].path):
            return list(files[place:])
    return list(files)


def _walked(files: Sequence[Segment], begins: Start, key: bytes, expected: Sequence[Seen]) -> Verdict:
    number, mac, torn = begins.number, begins.mac, 0
    told: dict[int, list[Seen]] = {}
    for each in expected:
        told.setdefault(each.number, []).append(each)
    for place, segment in enumerate(files):
        before = number
        with segment.path.open("rb") as file:
            for line in file:
                at = f"{segment.path} line {number - before + 1}"
                if not line.endswith(b"\n"):
                    torn, wrong = len(line), None
                    if place < len(files) - 1:
                        wrong = f"{at}: the file was cut"
                    elif not chain.begins(line, number + 1):
                        wrong = f"{at}: {torn} bytes that are not the beginning of record {number + 1} were put there"
                else:
                    wrong, mac = chain.proven(line, number + 1, mac, key)
                    if not wrong and number == before and segment.first != number + 1:
                        wrong = f"record {number + 1} stands where the file's name says {segment.first}"
                    wrong = f"{at}: {wrong}" if wrong else _other(told.get(number + 1, []), mac)
                if wrong:
                    return Verdict(holds=False, records=number, mac=mac, torn=torn, wrong=wrong, since=begins.number)
                if torn:  # by now there may be more of it, which by itself is no line
                    break
                number += 1
    return Verdict(holds=True, records=number, mac=mac, torn=torn, since=begins.number)


def _other(told: Sequence[Seen], mac: str) -> str | None:
    for each in told:
        if not hmac.compare_digest(each.mac.encode(), mac.encode()):
            return f"record {each.number} is not the one that {each.where} has seen: the tail was cut or put there anew"
    return None


def _wrong_head(head: Head | None, files: Sequence[Segment], path: Path, head_path: Path, key: bytes) -> str | None:
    if head is None:
        written = any(each.path.stat().st_size > 0 for each in files)
        return f"{head_path} is missing beside {path}: it was removed, and the tail may be cut" if written else None
    if chain.seals(head, key):
        return None
    return f"{head_path}: its seal does not fit: it was edited, or written with another key"
