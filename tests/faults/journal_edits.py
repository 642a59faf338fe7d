"""A journal of orders that somebody tampers with: bytes, lines, tails and the head, and whether `verify` finds it."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from realtime.orders.journal import Journal, JournalError, verify

KEY = b"a key of the tests"
WRONG = ("unfound", "false_alarms")
RECORDS = 40
Chance = random.Random


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
    return b"".join(data.splitlines(keepends=True)[: chance.randrange(RECORDS)])


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
    """A journal of records of all lengths."""
    journal = Journal(folder, KEY)
    for number in range(RECORDS):
        body = {"order": f"ORD-{number}", "quantity": chance.randint(1, 99), "text": "x" * chance.randrange(300)}
        journal.append(chance.choice(("intent", "event", "request")), body).result(10)
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
    while counts["edits"] < edits:
        head = chance.random() < 0.15
        path = folder / ("head.json" if head else "journal.jsonl")
        original = path.read_bytes()
        edit = chance.choice(OF_HEAD if head else OF_JOURNAL)
        damaged = edit(original, chance)
        if damaged == original:
            continue
        path.write_bytes(damaged)
        wrong["unfound"] += holds(folder)
        path.write_bytes(original)
        counts["edits"] += 1
        counts[f"edits_{'head' if head else edit.__name__}"] += 1
    wrong["false_alarms"] += not holds(folder)
    return wrong, counts
