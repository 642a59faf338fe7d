"""Alerts against a page that stands in for people: what is said, how often, and what is never said."""

import dagster as dg
import pytest

from pipelines.alerts import QUIET_SECONDS, AlertError, Alerts, checks_failed, run_failed
from tests.pipelines.stand_in import Listener

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise, for a part of it that we do not use


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


@dg.op(description="Breaks.")
def breaks():
    raise ValueError("the disk is gone")


@dg.job
def broken():
    breaks()


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="thing")])
def thing():
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(check_name="holds", passed=False, description="3 rows differ")]
    )


def test_a_failed_run_is_told_with_its_step_and_its_address(listener, instance):
    result = broken.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failed",
        dagster_event=next(event for event in result.all_events if event.is_job_failure),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    )
    run_failed(context.for_run_failure(), alerts=Alerts([listener.url], "http://127.0.0.1:3070"))
    ((_, told),) = listener.told

    assert told["title"] == "TradingSystem: broken failed"
    assert "breaks: " in told["message"]
    assert "the disk is gone" in told["message"]
    assert f"http://127.0.0.1:3070/runs/{result.run_id}" in told["message"]


def test_a_check_that_fails_without_failing_the_run_is_told(listener, instance):
    job = dg.Definitions(assets=[thing], jobs=[dg.define_asset_job("make", "*")]).resolve_job_def("make")
    result = job.execute_in_process(instance=instance)
    context = dg.build_run_status_sensor_context(
        sensor_name="checks_failed",
        dagster_event=next(event for event in result.all_events if event.is_job_success),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    )
    checks_failed(context, alerts=Alerts([listener.url]))
    ((_, told),) = listener.told

    assert result.success
    assert told["message"] == "holds on thing: 3 rows differ"


def test_the_same_is_not_said_again_at_once(listener):
    now = [0.0]
    alerts = Alerts([listener.url], clock=lambda: now[0])
    for _ in range(3):
        said = alerts.send("sync failed", "no")
    alerts.send("archive failed", "no")
    now[0] += QUIET_SECONDS
    alerts.send("sync failed", "no")

    assert said.startswith("held back")
    assert [told["title"] for _, told in listener.told] == ["sync failed", "archive failed", "sync failed"]
    assert listener.told[-1][1]["message"] == "no\n(2 more since the last message)"


def test_an_address_that_does_not_answer_is_an_error_that_tells_no_secret(listener, caplog, capfd):
    broken = Listener(status=500)
    alerts = Alerts([broken.url, "nonsense://secret-word", listener.url])
    try:
        with caplog.at_level("DEBUG"), pytest.raises(AlertError, match=r"2 of 3 addresses.*json, nonsense") as raised:
            alerts.send("sync failed", "no")
    finally:
        broken.close()
    out, err = capfd.readouterr()

    assert len(listener.told) == 1
    assert "secret" not in f"{raised.value} {alerts!r} {out} {err} {caplog.text}"


def test_what_was_not_taken_is_tried_again(listener):
    alerts = Alerts([listener.url])
    listener.status = 500
    with pytest.raises(AlertError):
        alerts.send("sync failed", "no")
    listener.status = 200

    assert alerts.send("sync failed", "no") == "told 1 addresses"


def test_without_addresses_nothing_is_sent():
    assert "TRADINGSYSTEM_ALERT_URLS" in Alerts([]).send("sync failed", "no")
