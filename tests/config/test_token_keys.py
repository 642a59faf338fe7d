import datetime as dt
import os
import stat

import pytest

from config import token_keys

NOW = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)


def test_there_is_none_before_the_first_login(tmp_path):
    assert token_keys.read(tmp_path) == []


def test_a_key_counts_for_an_hour_after_the_next_one(tmp_path):
    ids = [token_keys.rotate(tmp_path, NOW + dt.timedelta(minutes=minutes))[0].id for minutes in (0, 30, 60)]

    def counting(minutes):
        return [key.id for key in token_keys.read(tmp_path, NOW + dt.timedelta(minutes=minutes))]

    assert counting(60) == ids[::-1]
    assert counting(89) == ids[::-1]
    assert counting(90) == [ids[2], ids[1]]
    assert counting(120) == [ids[2]]
    assert counting(100_000) == [ids[2]]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_its_owner_alone_reads_the_file(tmp_path):
    token_keys.rotate(tmp_path)

    assert stat.S_IMODE(token_keys.place(tmp_path).stat().st_mode) == 0o600
