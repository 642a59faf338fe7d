"""Rules of a state machine that two can drive: Hypothesis, which shrinks what fails, and a plain generator of random
numbers, which chooses evenly however long the run is. (Hypothesis leaves most rules out of each tape.)
"""

import functools
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

Rule = Callable[..., None]


class Domain(NamedTuple):
    """What an argument may be, for either."""

    strategy: st.SearchStrategy[Any]
    pick: Callable[[random.Random], Any]


def whole(least: int, most: int) -> Domain:
    """An integer."""
    return Domain(st.integers(least, most), lambda chance: chance.randint(least, most))


def real(least: float, most: float) -> Domain:
    """A float."""
    return Domain(st.floats(least, most), lambda chance: chance.uniform(least, most))


def one_of(*values: Any) -> Domain:
    """One of these."""
    return Domain(st.sampled_from(values), lambda chance: chance.choice(values))


def always(machine: Any) -> bool:
    """For rules without a condition."""
    return True


def drawn(weight: float = 1.0, when: Callable[[Any], bool] = always, **domains: Domain) -> Callable[[Rule], Rule]:
    """Make a method a rule that is noted in `self.diary`. `weight`: how often it is chosen, against 1 of the others."""

    def made(function: Rule) -> Rule:
        @functools.wraps(function)
        def in_diary(self: Any, **arguments: Any) -> None:
            with self.diary.step(function.__name__, arguments):
                function(self, **arguments)

        found = precondition(when)(rule(**{name: each.strategy for name, each in domains.items()})(in_diary))
        found.drawn = weight, when, domains  # type: ignore[attr-defined]  # read by `play`
        return found

    return made


def play(machine: Any, chance: random.Random, steps: int) -> None:
    """So many steps, each of a rule that may be done now. Raises what the first that fails does."""
    methods = (getattr(machine, name) for name in dir(type(machine)))
    rules = [method for method in methods if hasattr(method, "drawn")]
    for _ in range(steps):
        able = [each for each in rules if each.drawn[1](machine)]
        chosen = chance.choices(able, [each.drawn[0] for each in able])[0]
        chosen(**{name: domain.pick(chance) for name, domain in chosen.drawn[2].items()})
