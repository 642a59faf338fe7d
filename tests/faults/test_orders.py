"""A seeded share of the order loop's faults; `tradingsystem bench faults --suite orders` plays the full counts."""

import sys

import pytest
from msgspec import structs

from launcher.report import Silent
from realtime.orders import requests
from tests.faults import journal_edits, order_drills, order_kills, order_limits, orders, orders_suite


@pytest.mark.parametrize("seed", [1, 2])
def test_after_every_fault_everything_agrees_and_nothing_is_doubled(tmp_path, seed):
    wrong, counts = orders.run(tmp_path, seed, 40)

    assert not +wrong, f"{dict(wrong)} after {dict(counts)}"
    assert counts["faults"] == counts["looks"] == 40
    assert sum(count for name, count in counts.items() if name.startswith("kills_")) > 5


def test_whatever_is_asked_the_exchange_sees_no_limit_broken(tmp_path):
    wrong, counts = order_limits.run(tmp_path, 1, 1000)

    assert not +wrong, f"{dict(wrong)} after {dict(counts)}"
    assert counts["orders"] == 1000
    assert counts["arrived"] > 100


def test_the_observer_sees_what_gets_past_checks_that_let_everything_pass(tmp_path, monkeypatch):
    def blind(*given):
        return [structs.replace(finding, passed=True) for finding in findings(*given)]

    findings = requests.findings
    monkeypatch.setattr(requests, "findings", blind)
    wrong, _ = order_limits.run(tmp_path, 1, 300)

    assert set(+wrong) >= {
        "quantity",
        "notional",
        "grid",
        "collar",
        "position",
        "open_orders",
        "exposure",
        "margin",
        "rate",
        "twins",
    }


def test_no_order_leaves_once_the_switch_was_pulled_and_all_that_left_are_cancelled(tmp_path):
    wrong, counts = order_drills.run(tmp_path, 1, 5)

    assert not +wrong, f"{dict(wrong)} after {dict(counts)}"
    assert counts["drills"] == 5


def test_every_edit_of_a_journal_is_found(tmp_path):
    wrong, counts = journal_edits.run(tmp_path, 1, 400)

    assert not +wrong, f"{dict(wrong)} after {dict(counts)}"
    assert counts["edits"] == 400


@pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")
@pytest.mark.timeout(600)
def test_the_process_is_killed_with_an_order_in_each_state_and_journal_broker_and_positions_agree(tmp_path):
    wrong, counts = order_kills.run(tmp_path, 1, 1)  # one life, unless the machine is too busy to hold all states in it

    assert not +wrong, f"{dict(wrong)} after {dict(counts)}"
    assert min(counts[name] for name in order_kills.KILLS) >= 1, dict(counts)
    assert counts["kills"] == counts["looks"]


def test_a_run_goes_on_where_one_with_the_same_seed_ended(tmp_path):
    part, kept = orders_suite.PARTS["edits"], tmp_path / "kept.jsonl"
    orders_suite.played(tmp_path / "a", [(part, 600)], 3, Silent(), kept=kept)
    with kept.open("ab") as file:
        file.write(b'{"torn')
    before = len(kept.read_bytes().splitlines())
    totals = orders_suite.played(tmp_path / "a", [(part, 600)], 3, Silent(), jobs=2, kept=kept)

    assert totals["edits"].counts["edits"] == 600
    assert before == len(kept.read_bytes().splitlines()) == 3
    assert not +totals["edits"].wrong
