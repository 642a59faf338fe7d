"""Ports of loopback that no other worker gives: each has a share and goes through it before it gives one again."""

import itertools
import os
import random

from launcher import instance

SHARES, SHARE = 8, 1_500  # from 20,000 on: above those the launcher chooses, below those that outgoing connections get
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
FIRST = 20_000 + SHARE * (WORKER % SHARES)
START = random.SystemRandom().randrange(SHARE)  # another session of tests begins elsewhere

candidates = itertools.cycle([*range(FIRST + START, FIRST + SHARE), *range(FIRST, FIRST + START)])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all different."""
    return instance.free_ports(count, candidates)


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
