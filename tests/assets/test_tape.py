"""The sessions' asset in process: what it says of a day, and that it never holds up what is old."""

import dagster as dg
import pytest

from assets import tape
from sql import tape_verdict
from sql.tape_verdict import SessionReport, Sessions
from tests.tape import DAY


def report(symbol: str) -> SessionReport:
    return SessionReport(symbol=symbol, session=DAY, reason="3 trades fewer", trades=97, missing=3, gaps=[])


def materialized(monkeypatch, found: Sessions) -> dg.ExecuteInProcessResult:
    monkeypatch.setattr(tape_verdict, "sessions_of", lambda *_, **__: found)
    stores = dict.fromkeys(("hot", "warm", "cold"), object())
    return dg.materialize(tape.assets, partition_key=str(DAY), resources=stores)


@pytest.mark.parametrize(
    ("found", "passed"), [(Sessions(proven=3, open=1), True), (Sessions(unproven=[report("WINZ26")]), False)]
)
def test_a_session_that_is_not_proven_warns(monkeypatch, found, passed):
    done = materialized(monkeypatch, found)
    (check,) = done.get_asset_check_evaluations()

    assert done.success
    assert (check.check_name, check.passed, check.blocking) == ("complete", passed, False)
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert ("3 trades fewer" in check.description) == (not passed)


def test_the_day_shows_its_sessions(monkeypatch):
    done = materialized(monkeypatch, Sessions(proven=2, unproven=[report("WINZ26")]))
    (event,) = done.asset_materializations_for_node("judge_sessions")

    assert (event.metadata["proven"].value, event.metadata["unproven"].value) == (2, 1)
    assert "| WINZ26 |" in event.metadata["sessions"].value


def test_the_night_judges_behind_the_proof():
    from pipelines import definitions

    graph = definitions.defs.resolve_asset_graph()

    assert graph.get(tape.KEY).parent_keys == {dg.AssetKey(["proof", "ticks"])}
    assert tape.KEY in definitions.defs.resolve_job_def("nightly").asset_layer.executable_asset_keys
