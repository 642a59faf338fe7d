"""What trade numbers say by themselves: the step of a session, learned, and the places where numbers are left out.

A step holds for a stretch; a session may have several, and one whose numbers follow none has no holes that can be
seen. Numbers never prove a session: what came before the first or after the last one leaves none out. Pure.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Ids = npt.NDArray[np.int64]

BLOCK = 256  # differences that must agree on a step
BLOCKS = 1 << 10  # looked at in one go
SHARE = 0.5  # of a block that must be its step
GENUINE = 0.95  # of a block: a multiple of the usual step that holds so firmly is a step, not loss after loss
NEAR = 8  # trades between two holes: fewer, and they are one gap


class Hole(Struct, frozen=True, kw_only=True):
    """Numbers left out between two trades that are there. `ids`: how many numbers of the step fit in."""

    before: int | None  # the neighbours; None: there is none on that side
    after: int | None
    first: int
    last: int
    ids: int
    step: int

    def within(self, first: int, last: int) -> int:
        """How many of its numbers lie in first..last."""
        low, high = max(first, self.first), min(last, self.last)
        if high < low:
            return 0
        return (high - self.first) // self.step - (low - self.first + self.step - 1) // self.step + 1


class Numbering(Struct, frozen=True, kw_only=True):
    """The numbers of one session. `step`: the usual one; None where the numbers follow none."""

    count: int
    first: int | None
    last: int | None
    step: int | None
    holes: tuple[Hole, ...]

    @property
    def missing(self) -> int:
        """Numbers that are left out between the first and the last trade."""
        return sum(hole.ids for hole in self.holes)


def numbering_of(ids: Ids) -> Numbering:
    """Learn the steps of ascending numbers and find what is left out."""
    if not len(ids):
        return Numbering(count=0, first=None, last=None, step=None, holes=())
    steps = _steps(ids)
    known = steps[steps > 0]
    usual = _usual(known)
    holes = list(_holes(ids, steps, frozenset(known.tolist()))) if usual else []
    return Numbering(count=len(ids), first=int(ids[0]), last=int(ids[-1]), step=usual, holes=tuple(holes))


def head_of(numbers: Numbering) -> Hole | None:
    """What would come before the first trade, if numbers began at their step."""
    first, step = numbers.first, numbers.step
    if first is None or step is None or first <= step:
        return None
    count = (first - 1) // step
    return Hole(before=None, after=first, first=first - count * step, last=first - step, ids=count, step=step)


def whole(count: int, span: int, step: int | None) -> bool:
    """Whether `count` numbers over a `span` (last minus first) leave none out, when their step is known."""
    return step is not None and count > 0 and span == (count - 1) * step


def gaps_of(holes: tuple[Hole, ...], ids: Ids) -> list[tuple[Hole, ...]]:
    """Holes with few trades between them together: one gap is one thing to tell and to ask for."""
    groups: list[list[Hole]] = []
    if not holes:
        return []
    places = np.searchsorted(ids, np.array([hole.before for hole in holes], np.int64))
    for place, hole, before in zip(places.tolist(), holes, [None, *places.tolist()[:-1]], strict=True):
        if before is not None and place - before <= NEAR:
            groups[-1].append(hole)
        else:
            groups.append([hole])
    return [tuple(group) for group in groups]


def _steps(ids: Ids) -> Ids:
    """The step of each block of differences; 0 where there is none."""
    count = len(ids) - 1
    if count <= 0:
        return np.zeros(0, np.int64)
    whole_blocks = max(1, count // BLOCK)
    steps = np.zeros(whole_blocks, np.int64)
    if count < 2 * BLOCK:
        diffs = np.diff(ids)[None, :]
        steps[:] = _agreed(diffs, SHARE)
        return _judged(steps, _agreed(diffs, GENUINE) > 0)
    genuine = np.zeros(whole_blocks, np.bool_)
    for since in range(0, whole_blocks, BLOCKS):
        until = min(whole_blocks, since + BLOCKS)
        diffs = np.diff(ids[since * BLOCK : until * BLOCK + 1]).reshape(until - since, BLOCK)
        steps[since:until] = _agreed(diffs, SHARE)
        genuine[since:until] = _agreed(diffs, GENUINE) > 0
    return _judged(steps, genuine)


def _agreed(diffs: Ids, share: float) -> Ids:
    """What more than `share` of each row is: it can only be the middle one."""
    middle = np.sort(diffs, axis=1)[:, diffs.shape[1] // 2]
    held = (diffs == middle[:, None]).mean(axis=1)
    agreed: Ids = np.where(held >= share, middle, 0)
    return agreed


def _judged(steps: Ids, genuine: npt.NDArray[np.bool_]) -> Ids:
    """Blocks without a step, or with a multiple of the usual one that does not hold firmly, get the usual one."""
    usual = _usual(steps[steps > 0])
    if usual is None:
        return steps
    doubtful = (steps == 0) | ((steps > usual) & (steps % usual == 0) & ~genuine)
    # Half of the blocks without any step: these numbers follow none, and holes would be invented.
    if (steps == 0).mean() > 0.5:
        return np.zeros_like(steps)
    return np.where(doubtful, usual, steps)


def _usual(steps: Ids) -> int | None:
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def _holes(ids: Ids, steps: Ids, known: frozenset[int]) -> Iterator[Hole]:
    count, chunk = len(ids) - 1, BLOCK * BLOCKS
    for since in range(0, count, chunk):
        until = min(count, since + chunk)
        diffs = np.diff(ids[since : until + 1])
        own = steps[np.minimum(np.arange(since, until) // BLOCK, len(steps) - 1)]
        for place in np.flatnonzero((diffs > own) & (own > 0)).tolist():
            before, after, step = int(ids[since + place]), int(ids[since + place + 1]), int(own[place])
            ids_within = (after - before - 1) // step
            if not ids_within or (after - before in known and _runs(ids, since + place)):
                continue
            last = before + ids_within * step
            yield Hole(before=before, after=after, first=before + step, last=last, ids=ids_within, step=step)


def _runs(ids: Ids, place: int) -> bool:
    """Whether a difference is like the one beside it: there a stretch of another step begins or ends."""
    own = ids[place + 1] - ids[place]
    left = place > 0 and ids[place] - ids[place - 1] == own
    right = place + 2 < len(ids) and ids[place + 2] - ids[place + 1] == own
    return bool(left or right)
