"""What people see of a day on its materialization."""

import base64
import datetime as dt
import re
import shlex
from xml.etree import ElementTree

from assets.pictures import HEIGHT, LABEL, WIDTH, picture, query, seen, size
from sql.day_facts import DayFacts
from sql.tables import TICKS
from tests.tape import DAY, NOON

FACTS = DayFacts(
    rows=1200, newest=NOON, minutes={0: 100, 720: 1000, 1439: 100}, largest=(("WINZ26", 900), ("WDOZ26", 300)), bytes=5
)


def drawn(minutes):
    head, _, data = picture(minutes).partition(",")
    assert head == "data:image/svg+xml;base64"
    return ElementTree.fromstring(base64.b64decode(data))


def test_the_picture_is_a_small_svg_with_a_bar_for_each_five_minutes_that_have_rows():
    svg = drawn(FACTS.minutes)
    bars = re.findall(r"M(\d+) (\d+)v-(\d+)", svg[-1].get("d"))

    assert [int(x) for x, _, _ in bars] == [0, WIDTH // 2, WIDTH - 2]
    assert max(int(height) for *_, height in bars) == HEIGHT - 2 * LABEL
    assert "up to 200 rows a minute" in svg[0].text
    assert len(picture(dict.fromkeys(range(1440), 123456))) < 12_000


def test_a_day_shows_its_numbers_its_symbols_and_the_command_that_shows_its_rows():
    found = {name: value.value for name, value in seen(TICKS, "warm", DAY, FACTS, now=NOON).items()}

    assert found["dagster/row_count"] == 1200
    assert (found["bytes"], found["lag_seconds"]) == (5, 0.0)
    assert found["session"] == "a session of the exchange"
    assert "| WINZ26 | 900 | 75.0% |" in found["largest_symbols"]
    assert "--tier warm" in found["query"]
    assert found["size"] == "5 B"


def test_the_command_is_one_that_a_shell_reads_whole():
    for tier in ("hot", "warm", "cold"):
        *command, statement = shlex.split(query(TICKS, tier, DAY))

        assert command == ["python3", "tradingsystem", "query", "--tier", tier]
        assert str(DAY) in statement


def test_a_size_is_said_as_people_say_it():
    assert [size(n) for n in (0, 999, 366_866, 12_345_678, 4_000_000_000_000)] == [
        "0 B",
        "999 B",
        "366.9 kB",
        "12.3 MB",
        "4,000.0 GB",
    ]


def test_an_empty_day_shows_zero_rows():
    found = seen(TICKS, "cold", dt.date(2026, 11, 20), DayFacts(), now=NOON)

    assert found["dagster/row_count"].value == 0
    assert found["session"].value == "no session"
    assert "rows_per_minute" not in found
