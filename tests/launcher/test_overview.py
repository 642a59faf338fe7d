"""What `status` says of services that live in another's process."""

from launcher import overview
from launcher.report import Silent
from launcher.supervisor import Child, Supervisor


def supervised(settings, tmp_path, name):
    supervisor = Supervisor(tmp_path, Silent(), lambda _: None)
    supervisor.add(
        [
            Child(
                name=name, command=list, prepare=lambda: None, ready=lambda: None, environment={}, directory=tmp_path,
                url=settings.url(name),
            )
        ]
    )  # fmt: skip
    return {entry.name: entry for entry in overview.of(supervisor, (), settings).services}


def test_a_service_feels_as_the_process_that_serves_it(settings_in, tmp_path):
    settings = settings_in(tmp_path / "data")
    entries = supervised(settings, tmp_path, "api-gateway")

    assert entries["workspace-api"].state == entries["api-gateway"].state != "off"
    assert entries["workspace-api"].url == settings.url("workspace-api")
    assert entries["workspace-api"].detail == "in api-gateway"
    assert entries["dagster"].state == "off"


def test_it_is_off_where_that_process_is_not_started(settings_in, tmp_path):
    entries = supervised(settings_in(tmp_path / "data"), tmp_path, "data-capture")

    assert (entries["workspace-api"].state, entries["workspace-api"].url) == ("off", None)
