"""A journal of several files that somebody tampers with: bytes, lines, tails, files, the head. Is it found?"""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from realtime.orders.chain import CARRIED
from realtime.orders.journal import Journal, JournalError, verify

KEY = b"a key of the tests"
WRONG = ("unfound", "false_alarms")
RECORDS, PAGE = 40, 10
Chance = random.Random
Files = dict[Path, bytes]


def flipped(data: bytes, chance: Chance) -> bytes:
    """One byte is another one."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ chance.randint(1, 255)]) + data[at + 1 :]


def removed(data: bytes, chance: Chance) -> bytes:
    """Some bytes are gone."""
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randint(1, 400) :]


def inserted(data: bytes, chance: Chance) -> bytes:
    """Some bytes came in between."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.randint(1, 40)) + data[at:]


def cut(data: bytes, chance: Chance) -> bytes:
    """The tail is gone, in a line or behind one."""
    if chance.random() < 0.5:
        return data[: chance.randrange(len(data))]
    lines = data.splitlines(keepends=True)
    return b"".join(lines[: chance.randrange(len(lines))])


def without_a_line(data: bytes, chance: Chance) -> bytes:
    """A record was deleted."""
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def with_a_line_again(data: bytes, chance: Chance) -> bytes:
    """A record stands there twice, or once more elsewhere."""
    lines = data.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    return b"".join(lines)


def reordered(data: bytes, chance: Chance) -> bytes:
    """Two records changed places."""
    lines = data.splitlines(keepends=True)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def reworded(data: bytes, chance: Chance) -> bytes:
    """A number in a record is another one, and the line is still good JSON."""
    lines = data.splitlines(keepends=True)
    number = chance.randrange(len(lines))
    lines[number] = lines[number].replace(b'"quantity":', b'"quantity":1', 1)
    return b"".join(lines)


OF_JOURNAL: tuple[Callable[[bytes, Chance], bytes], ...] = (
    flipped,
    removed,
    inserted,
    cut,
    without_a_line,
    with_a_line_again,
    reordered,
    reworded,
)
OF_HEAD = (flipped, removed, inserted)


def written(folder: Path, chance: Chance) -> None:
    """A journal of records of all lengths, over several files."""
    journal = Journal(folder, KEY)
    for number in range(RECORDS):
        body = {"order": f"ORD-{number}", "quantity": chance.randint(1, 99), "text": "x" * chance.randrange(300)}
        kind = CARRIED if number and number % PAGE == 0 else chance.choice(("intent", "event", "request"))
        journal.append(kind, body).result(10)
    journal.close()


def holds(folder: Path) -> bool:
    """Whether the journal is what was written."""
    try:
        return verify(folder / "journal.jsonl", folder / "head.json", KEY).holds
    except JournalError:
        return False


def run(folder: Path, seed: int, edits: int) -> tuple[Counter[str], Counter[str]]:
    """So many edits of one journal, each made good again; what was wrong, and what was done."""
    chance, wrong, counts = random.Random(seed), Counter(dict.fromkeys(WRONG, 0)), Counter[str]()
    written(folder, chance)
    whole = {path: path.read_bytes() for path in folder.glob("*.json*")}
    pages = [path for path in whole if path.suffix == ".jsonl"]
    assert len(pages) == RECORDS // PAGE
    while counts["edits"] < edits:
        name, damaged = _edited(whole, pages, chance)
        if damaged == whole:
            continue
        _put(damaged, whole)
        wrong["unfound"] += holds(folder)
        _put(whole, damaged)
        counts["edits"] += 1
        counts[f"edits_{name}"] += 1
    wrong["false_alarms"] += not holds(folder)
    return wrong, counts


def _edited(whole: Files, pages: list[Path], chance: Chance) -> tuple[str, Files]:
    """The files after something was done to one or two of them, and its name."""
    draw = chance.random()
    if draw < 0.1:
        one, other = chance.sample(pages, 2)
        return "files_swapped", {**whole, one: whole[other], other: whole[one]}
    if draw < 0.2:
        gone = chance.choice(list(whole))
        return "file_gone", {path: data for path, data in whole.items() if path != gone}
    head = next(path for path in whole if path not in pages)
    path, edits = (head, OF_HEAD) if draw < 0.3 else (chance.choice(pages), OF_JOURNAL)
    edit = chance.choice(edits)
    return f"{'head_' if path == head else ''}{edit.__name__}", {**whole, path: edit(whole[path], chance)}


def _put(wanted: Files, there: Files) -> None:
    for path in there.keys() - wanted.keys():
        path.unlink()
    for path, data in wanted.items():
        if there.get(path) != data:
            path.write_bytes(data)
