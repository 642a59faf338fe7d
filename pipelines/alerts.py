"""Alerts: a failed run, a check that does not hold, a hot table that applies nothing, said where people look.

Addresses are those of the apprise library, one URL each (webhook, Telegram, e-mail …). They hold tokens and passwords,
so nothing but their scheme is ever told.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import dagster as dg

QUIET_SECONDS = 900.0  # the same thing is not said again before, however often it happens
SHOWN = 1_500  # characters of a message; chats cut longer ones


class AlertError(Exception):
    """An address did not take an alert; the message names schemes only."""


class Alerts:
    """The addresses, and when what was said last. Making one opens nothing; without addresses nobody is told."""

    def __init__(self, urls: Sequence[str], ui_url: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._urls = tuple(urls)
        self._ui_url = ui_url.rstrip("/")
        self._clock = clock
        self._said: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def send(self, title: str, body: str, *, run_id: str = "") -> str:
        """Tell all addresses, unless the same title was told a moment ago; what was done, in words.

        Raises AlertError when an address does not take it; the others have it then.
        """
        if not self._urls:
            return "no address is set: TRADINGSYSTEM_ALERT_URLS"
        now = self._clock()
        if now - self._said.get(title, -QUIET_SECONDS) < QUIET_SECONDS:
            self._held_back[title] = self._held_back.get(title, 0) + 1
            return "held back: the same was said a moment ago"
        held_back = self._held_back.pop(title, 0)
        lines = [body[:SHOWN]]
        lines += [f"({held_back} more since the last message)"] if held_back else []
        lines += [f"{self._ui_url}/runs/{run_id}"] if run_id and self._ui_url else []
        self._notify(title, "\n".join(lines))
        self._said[title] = now
        return f"told {len(self._urls)} addresses"

    def _notify(self, title: str, body: str) -> None:
        import apprise  # loads slowly, and only when something is wrong

        # Both write addresses into their logs, with what is secret in them.
        for name in ("apprise", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

        def tell(url: str) -> bool:
            one = apprise.Apprise()
            return bool(one.add(url)) and bool(
                one.notify(title=title, body=body, notify_type=apprise.NotifyType.FAILURE)
            )

        deaf = [url.partition("://")[0] for url in self._urls if not tell(url)]
        if deaf:
            raise AlertError(f"{len(deaf)} of {len(self._urls)} addresses did not take the alert: {', '.join(deaf)}")

    def __repr__(self) -> str:
        return f"Alerts({len(self._urls)} addresses)"


if TYPE_CHECKING:
    Told = dg.ResourceParam[Alerts]
else:
    Told = dg.ResourceParam[object]


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells the alert addresses of a run that failed, with its step, its error and the checks that failed.",
)
def run_failed(context: dg.RunFailureSensorContext, alerts: Told) -> None:
    steps = [f"{event.step_key}: {_reason(event)}" for event in context.get_step_failure_events()]
    checks = failed_checks(context.instance, context.dagster_run.run_id)
    body = [*checks, *steps] or [context.failure_event.message or "no reason was given"]
    said = alerts.send(title_of(context.dagster_run, "failed"), "\n".join(body), run_id=context.dagster_run.run_id)
    context.log.info(said)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Tells the alert addresses of checks that failed without failing their run.",
)
def checks_failed(context: dg.RunStatusSensorContext, alerts: Told) -> None:
    checks = failed_checks(context.instance, context.dagster_run.run_id)
    if checks:
        title = title_of(context.dagster_run, "ended with failed checks")
        context.log.info(alerts.send(title, "\n".join(checks), run_id=context.dagster_run.run_id))


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The checks of a run that do not hold, a line each."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    found = [record.event_log_entry.asset_check_evaluation for record in records]
    return list(_lines(evaluation for evaluation in found if evaluation is not None and not evaluation.passed))


def title_of(run: dg.DagsterRun, what: str) -> str:
    """`<job> (<partition>) <what>`; runs that somebody started by hand have a job name of Dagster's."""
    name = "materialization" if run.job_name.startswith("__") else run.job_name
    bounds = [run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    partition = run.tags.get("dagster/partition") or " to ".join(dict.fromkeys(filter(None, bounds)))
    return f"TradingSystem: {name}{f' of {partition}' if partition else ''} {what}"


def _reason(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause  # the outer one only says that a step failed
    return error.message.strip() if error else "no reason was given"


def _lines(evaluations: Iterable[dg.AssetCheckEvaluation]) -> Iterable[str]:
    for each in evaluations:
        yield f"{each.check_name} on {each.asset_key.to_user_string()}: {each.description or 'does not hold'}"
