"""`tradingsystem journal verify`: what it proves, and how it says that something is wrong."""

import json

import pytest
from click.testing import CliRunner

from launcher.cli import cli
from realtime.orders.journal import Journal

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
    return CliRunner().invoke(cli, ["journal", "verify", "--data", str(data), *more])


def test_a_whole_journal_holds(data):
    assert verified(data).output == "holds: 5 records\n"
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
