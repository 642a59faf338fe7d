"""The doctor names what is missing and shows no secret."""

import json
import socket
import sys

import pytest
from click.testing import CliRunner

from config.settings import ProfitDll, Settings, load
from launcher import cli
from launcher.doctor import examine

X64, X86 = 0x8664, 0x14C


def library(machine: int) -> bytes:
    return b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + machine.to_bytes(2, "little") + bytes(64)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load({"TRADINGSYSTEM_DATA_DIR": str(tmp_path / "data")}, root=tmp_path)


def found(examination, name):
    return next(finding for finding in examination.findings if finding.name == name)


def with_broker(settings, **fields):
    from msgspec.structs import replace

    return replace(settings, profitdll=ProfitDll(**fields))


def test_every_missing_setting_of_the_broker_is_named(settings):
    seen = examine(settings, "profitdll")

    assert not seen.ok
    names = ("PROFITDLL_PATH", "PROFITDLL_ACTIVATION_KEY", "PROFITDLL_USER", "PROFITDLL_PASSWORD")
    assert {f.name for f in seen.findings if f.found == "not set"} == set(names)


@pytest.mark.parametrize(
    ("content", "told"), [(library(X64), ""), (library(X86), "32 bits"), (b"text", "no Windows library"), (b"", "no W")]
)
def test_a_library_that_cannot_be_loaded_is_told_before_it_is_tried(settings, tmp_path, content, told):
    path = tmp_path / "ProfitDLL64.dll"
    path.write_bytes(content)
    seen = found(examine(with_broker(settings, library=path), "profitdll"), "ProfitDLL")

    assert told in seen.remedy
    assert (seen.state == "ok") is (told == "")


def test_secrets_are_not_shown(settings):
    hidden = with_broker(settings, activation_key="hidden-1", user="hidden-2", password="hidden-3")

    assert "hidden" not in str(examine(hidden, "profitdll"))


def test_a_port_that_somebody_has_is_missing(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        from msgspec.structs import replace

        seen = examine(replace(settings, ports={**settings.ports, "order-manager": port}), "simulator")

    assert any(f.name == "port" and str(port) in f.found and f.state == "missing" for f in seen.findings)


def test_a_directory_of_the_other_kind_is_missing(settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "stamp.json").write_text('{"kind":"live"}', encoding="utf-8")

    assert found(examine(settings, "simulator"), "stamp").state == "missing"


def test_symbols_that_cannot_be_meant_are_told(settings):
    from msgspec.structs import replace

    wrong = replace(settings, capture=replace(settings.capture, symbols="PETR4:Q"))

    assert "'Q'" in found(examine(wrong, "simulator"), "symbols").found


def test_it_looks_and_makes_nothing(settings):
    examine(settings, "simulator")

    assert not settings.data_dir.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there the DLL may be complete")
def test_the_command_answers_json_and_its_exit_code_tells(tmp_path):
    run = CliRunner().invoke(cli.cli, ["doctor", "--source", "profitdll", "--data", str(tmp_path), "--json"])

    assert run.exit_code == 1
    assert json.loads(run.stdout)["ok"] is False
