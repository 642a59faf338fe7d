"""The pulse on a clock of the test's own: one for everybody who watches, until it is a second old."""

import asyncio

from api.gateway import ID
from api.live import BEAT_SECONDS, Watch
from api.neighbours import Neighbours


def test_all_who_ask_within_a_beat_share_a_pulse(settings, tape):
    now = [1000.0]

    async def story():
        neighbours = Neighbours(settings, ID)
        watch = Watch(tape, neighbours, clock=lambda: now[0])
        first = await watch.pulse()
        now[0] += BEAT_SECONDS - 0.01
        again = await watch.pulse()
        now[0] += 0.01
        later = await watch.pulse()
        await neighbours.close()
        return first, again, later

    first, again, later = asyncio.run(story())

    assert again is first
    assert later.made_at > first.made_at
