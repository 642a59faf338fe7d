"""Orders that a script of the simulator brings into every state and keeps there, by their quantities."""

import random
from pathlib import Path
from typing import Literal

from msgspec import Struct

Act = Literal["", "cancel", "change", "move"]


class Aim(Struct, frozen=True, kw_only=True):
    """An order that is to be in a state at the kill. `quantity`: what the script knows it by, one of these."""

    state: str
    quantity: range
    rests: bool = True  # far from the market; otherwise it takes
    act: Act = ""


AIMS = (
    Aim(state="SUBMITTED", quantity=range(1, 2)),
    Aim(state="FILLED", quantity=range(1, 2), rests=False),
    Aim(state="CANCELED", quantity=range(2, 3), act="cancel"),
    Aim(state="REJECTED", quantity=range(3, 4)),
    Aim(state="FAILED", quantity=range(4, 5)),
    Aim(state="UNKNOWN", quantity=range(5, 6)),  # it never arrives
    Aim(state="UNKNOWN", quantity=range(6, 7)),  # it arrives, and nobody says so
    Aim(state="canceling", quantity=range(7, 8), act="cancel"),
    Aim(state="replacing", quantity=range(7, 8), act="change"),
    Aim(state="PARTIALLY_FILLED", quantity=range(20, 30), rests=False),
    Aim(state="EXPIRED", quantity=range(30, 40), rests=False),  # after a part was filled
    Aim(state="EXPIRED", quantity=range(40, 50)),
)
SYMBOL = "WINX99"
SLOW, CHANGED = 9, 8  # the quantity of the order whose sending takes long, and the one after a change
STATES = ("PENDING", *dict.fromkeys(aim.state for aim in AIMS))
SCRIPT = """\
seed {seed}
symbol WINX99 F price 131250 tick 5 lot 1 rate 200
latency 1
order reject {hop} any of 3
order refuse {code} any of 4
order drop any of 5
order mute any of 6
order stuck {stuck} any of 7
order slow {slow} 4000 any of 9
order partial any of 20..39 split 30 stay
order expire 20 any of 30..49
order broker-state {state}
"""
HOPS = ("connection", "mercury", "hades", "broker", "market", "risk")
CODES = (3, 6, 10, 18, 31)  # with which SendOrder says a definite no


def script(chance: random.Random, state: Path) -> str:
    """A life's mishaps: the same for the same quantities, but for where and how they happen."""
    return SCRIPT.format(
        seed=chance.randint(1, 10**6),
        state=state,
        hop=chance.choice(HOPS),
        code=chance.choice(CODES),
        stuck=chance.choice(("sent", "pending")),
        slow=chance.choice(("before", "after")),
    )
