"""Which tables a command takes, by the tiers of their contracts."""

import pytest

from launcher.cli import Refusal, moving_tables
from sql.tables import BOOK, MOVING, SYNCED, TICKS


def test_all_that_move_when_none_is_named():
    assert moving_tables(()) == list(MOVING)
    assert moving_tables((), synced=True) == list(SYNCED)
    assert moving_tables(("book", "ticks")) == [BOOK, TICKS]


def test_a_table_without_warm_is_refused_where_only_warm_is_meant():
    with pytest.raises(Refusal, match="no table book is synchronised into warm; there are: ticks, daily"):
        moving_tables(("book",), synced=True)
    with pytest.raises(Refusal, match="no table receipts moves between tiers"):
        moving_tables(("receipts",))
