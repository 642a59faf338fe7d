"""The cases of every broker against ProfitDLL's border, over the real interop and the simulator."""

import sys

import pytest

from tests.realtime.orders.broker_cases import CASES
from tests.realtime.profitdll.broker_stage import ProfitStage, played

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")

SHARED = [number for number, case in sorted(CASES.items()) if not case.alone]
LINES = {31: ["hours 09:00-10:31"]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """All cases that can share a login, one after the other on one."""
    return played(tmp_path_factory.mktemp("shared"), SHARED)


def test_the_stage_has_every_power_that_a_case_needs():
    assert {case.needs for case in CASES.values() if case.needs} == ProfitStage.powers


@pytest.mark.parametrize("number", SHARED, ids=lambda number: f"{number}-{CASES[number].title}")
def test_the_case_holds(number, shared):
    assert not shared[number], shared[number]


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.alone], ids=lambda case: f"{case.number}-{case.title}"
)
def test_the_case_holds_on_a_login_of_its_own(case, tmp_path):
    lines = [*LINES.get(case.number, []), f"order broker-state {tmp_path / 'broker.state'}"]
    if case.after:
        assert played(tmp_path, [case.after], *lines) == {case.after: ""}

    assert played(tmp_path, [case.number], *lines) == {case.number: ""}
