"""The book again from its changes: pure, one row of `book` after the other, in the order (run, seq) of one symbol."""

from msgspec import Struct

from sql.tables import BookEvent

FIRST = 2  # bit of `flags`


class Level(Struct, frozen=True):
    """What stands at one level. Price is null for the theoretical one; all are null where it could not be read."""

    price: float | None
    quantity: int | None
    orders: int | None


class Ladder:
    """Both sides, the best level first; `whole`: it began with a full book, and no change was out of place."""

    def __init__(self) -> None:
        self.sides: dict[str, list[Level]] = {"BID": [], "ASK": []}
        self._full: set[str] = set()
        self._run: int | None = None

    @property
    def whole(self) -> bool:
        return self._full == set(self.sides)

    def apply(self, row: BookEvent) -> None:
        """Take the next row. What leaves the sides as they are (brackets, theoretical values) changes nothing.

        A new run begins without a past: its sides are whole after its own full book.
        """
        if row.run != self._run:
            self._run, self._full = row.run, set()
        if row.side not in self.sides:
            return
        levels, at = self.sides[row.side], row.position
        if row.action == "FULL":
            self._fill(row, row.side)
        elif at is None or at > len(levels) or (at == len(levels) and row.action in ("EDIT", "DELETE")):
            if row.action in ("INSERT", "EDIT", "DELETE"):
                self._full.discard(row.side)
        elif row.action == "INSERT":
            levels.insert(at, _level(row))
        elif row.action == "EDIT":
            levels[at] = _level(row)
        elif row.action == "DELETE":
            del levels[at]
        elif row.action == "DELETE_FROM":
            del levels[at:]

    def _fill(self, row: BookEvent, side: str) -> None:
        if row.flags & FIRST:
            self.sides[side].clear()
            self._full.add(side)
        if row.position is not None:
            if row.position != len(self.sides[side]):
                self._full.discard(side)
            self.sides[side].append(_level(row))


def _level(row: BookEvent) -> Level:
    return Level(row.price, row.quantity, row.orders)
