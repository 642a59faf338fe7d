"""Keys and people from the command line, through a gateway that answers."""

import json
import logging
import threading

import msgspec
import pytest
import structlog
import uvicorn
from argon2 import PasswordHasher
from click.testing import CliRunner

from api.access.passwords import Passwords
from api.access.service import access
from api.kernel.application import create_app
from api.kernel.server import configured, listening
from launcher import cli, gateway


@pytest.fixture(scope="module")
def run(engines):
    """Runs a command of ours against the gateway's handlers of access, on a port of its own."""
    made = msgspec.structs.replace(engines, access=msgspec.structs.replace(engines.access, api_key="the-admin-key"))
    service = access(made, passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)))
    app = create_app(made, msgspec.structs.replace(service, rate_limit=10_000))
    ready = threading.Event()
    app.on_startup.append(ready.set)
    server = uvicorn.Server(configured(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": listening(made, ["api-gateway"])})
    thread.start()
    assert ready.wait(30)

    def command(*words: str, settings=made, **values):
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
        )  # stdout is the command's
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gateway, "settings_for", lambda _: settings)
            return CliRunner().invoke(cli.cli, list(words), **values)

    yield command
    server.should_exit = True
    thread.join(30)


def test_a_key_is_made_listed_and_revoked(run):
    made = run(
        "keys", "create", "the bot's", "--scope", "*:read", "--scope", "risk:write", "--source", "agent", "--json"
    )
    key = json.loads(made.stdout)
    listed = json.loads(run("keys", "list", "--json").stdout)["keys"]
    revoked = run("keys", "revoke", key["id"])
    after = json.loads(run("keys", "list", "--json").stdout)["keys"]

    assert key["key"].startswith(f"tsk_{key['id']}_")
    assert [(k["name"], k["source"], k["scopes"]) for k in listed if k["id"] == key["id"]] == [
        ("the bot's", "agent", ["*:read", "risk:write"])
    ]
    assert revoked.exit_code == 0
    assert key["id"] not in {k["id"] for k in after}
    assert key["id"] in run("keys", "list", "--all").stdout


def test_a_key_for_some_days_is_printed_alone(run):
    done = run("keys", "create", "for a week", "--role", "viewer", "--days", "7")

    assert done.exit_code == 0
    assert done.stdout.startswith("tsk_")
    assert len(done.stdout.split()) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["keys", "create", "x"], 2, "expected scopes, or one role"),
        (["keys", "create", "x", "--scope", "risk:admin", "--source", "agent"], 2, "never has risk:admin"),
        (["keys", "revoke", "abcdefghijkl"], 2, "no valid key"),
        (["people", "change", "nobody", "--disable"], 2, "nobody named"),
        (["people", "change", "nobody"], 2, "expected role, active or password"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, words, code, said):
    done = run(*words)

    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr


def test_a_person_is_added_and_changed(run):
    made = run("people", "add", "carla", "--role", "trader")
    typed = run("people", "add", "davi", "--role", "viewer", "--ask", input="spring in Belo\nspring in Belo\n")
    changed = run("people", "change", "carla", "--role", "viewer", "--disable")
    found = {p["name"]: p for p in json.loads(run("people", "list", "--json").stdout)["people"]}

    assert len(made.stdout.strip()) >= 16
    assert (typed.exit_code, typed.stdout.strip(), changed.exit_code) == (0, "", 0)
    assert (found["carla"]["role"], found["carla"]["active"]) == ("viewer", False)
    assert found["davi"]["active"]
    assert "davi" in run("people", "list").stdout


def test_tokens_get_another_key(run):
    first, second = run("keys", "rotate").stdout, run("keys", "rotate").stdout

    assert first != second


def test_without_a_gateway_or_a_key_it_says_what_to_do(run, settings_in, tmp_path):
    closed = settings_in(tmp_path, TRADINGSYSTEM_API_KEY="k")
    nobody = settings_in(tmp_path)
    away, keyless = run("people", "list", settings=closed), run("people", "list", settings=nobody)

    assert (away.exit_code, keyless.exit_code) == (1, 2)
    assert "tradingsystem up" in away.stderr
    assert "tradingsystem up" in keyless.stderr
