"""`tradingsystem journal verify`: what it proves, and how it says that something is wrong."""

import datetime as dt
import json

import pytest
from click.testing import CliRunner

from launcher.cli import cli
from launcher.commands import journal as command
from realtime.orders.chain import last_link
from realtime.orders.journal import Journal
from sql.journal_heads import Kept
from sql.order_rows import Held

KEY = "k" * 40


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADINGSYSTEM_JOURNAL_KEY", KEY)
    journal = Journal(tmp_path / "orders", KEY.encode())
    for n in range(5):
        journal.append("intent", {"n": n}).result(10)
    journal.close()
    return tmp_path


def verified(data, *more: str):
    return CliRunner().invoke(cli, ["journal", "verify", "--offline", "--data", str(data), *more])


def test_a_whole_journal_holds(data):
    assert verified(data).output == "holds: 5 records; warm was not asked; hot was not asked\n"
    assert json.loads(verified(data, "--json").output)["records"] == 5


def test_an_edited_journal_is_named_with_its_line(data):
    path = data / "orders" / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":3', b'"n":4', 1))
    found = verified(data)

    assert found.exit_code == 1
    assert "line 4" in found.output


def test_without_key_or_journal_nothing_is_claimed(data, monkeypatch, tmp_path):
    assert verified(tmp_path / "empty").exit_code == 2
    monkeypatch.delenv("TRADINGSYSTEM_JOURNAL_KEY")
    monkeypatch.setattr("config.settings.LAYERS", ())

    assert verified(data).exit_code == 2


def test_what_warm_and_hot_have_seen_is_held_against_it(data, monkeypatch):
    def asked(kept=None, held=None):
        monkeypatch.setattr(command, "_warm_head", lambda *_: kept)
        monkeypatch.setattr(command, "_hot_rows", lambda *_: held)
        return CliRunner().invoke(cli, ["journal", "verify", "--data", str(data)])

    number, mac = last_link(data / "orders" / "journal.jsonl")
    now = dt.datetime.now(dt.UTC)

    whole = asked(Kept(number, mac, now), Held(5, 5, 1, 5))
    assert (whole.exit_code, whole.output) == (0, "holds: 5 records; warm has seen 5; hot has 5 of them\n")
    assert "warm has seen 6" in asked(Kept(6, mac, now)).output
    assert "the one that warm has seen" in asked(Kept(5, "0" * 64, now)).output
    for held, words in ((Held(6, 5, 1, 5), "once"), (Held(4, 4, 1, 5), "once"), (Held(6, 6, 1, 6), "its tail was cut")):
        found = asked(held=held)
        assert found.exit_code == 1
        assert words in found.output
