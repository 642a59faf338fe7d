"""A numbered case of what every broker must do.

`needs` names what the stage must be able to bring about; a broker's test says which of these powers its stage lacks.
"""

from collections.abc import Callable

from msgspec import Struct

from realtime.orders.states import Status
from tests.realtime.orders.broker_stage import Stage


class Case(Struct, frozen=True):
    number: int
    title: str
    needs: str  # one of the stage's powers, or none
    alone: bool
    after: int
    run: Callable[[Stage], None]


CASES: dict[int, Case] = {}
OPEN = (Status.SUBMITTED, Status.PARTIALLY_FILLED)


def case(
    number: int, *, needs: str = "", alone: bool = False, after: int = 0
) -> Callable[[Callable[[Stage], None]], None]:
    def kept(run: Callable[[Stage], None]) -> None:
        assert number not in CASES
        CASES[number] = Case(number, run.__name__.replace("_", " "), needs, alone or after > 0, after, run)

    return kept
