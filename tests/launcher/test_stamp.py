"""Invented ticks never meet true ones."""

import sys

import pytest

from launcher import stamp
from launcher.errors import UsageError

NOT_ON_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="there it is a source")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "2026-11-19_WINZ26.zip"
    path.touch()
    return path


def test_without_a_source_the_simulator_plays():
    assert stamp.sources_of(()) == ("simulator",)


def test_files_may_repeat_and_patterns_are_expanded(file, tmp_path):
    (tmp_path / "2026-11-18_WINZ26.zip").touch()

    assert stamp.sources_of((f"b3:{tmp_path}/*.zip",)) == (
        f"b3:{tmp_path / '2026-11-18_WINZ26.zip'}",
        f"b3:{file}",
    )
    assert stamp.sources_of((f"b3:{file}", f"b3:{file}")) == (f"b3:{file}", f"b3:{file}")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(("profitdll",), "runs on Windows only", marks=NOT_ON_WINDOWS),
        (("profitdll", "b3:x"), "expected simulator"),
        (("nasdaq",), "expected simulator"),
        (("simulator", "b3:x"), "expected simulator"),
        (("b3:absent.zip",), "there is no file"),
    ],
)
def test_what_is_no_source_is_refused_with_what_is(given, told):
    with pytest.raises(UsageError, match=told):
        stamp.sources_of(given)


def test_a_new_directory_is_stamped_demo_and_stays_so(tmp_path, file):
    assert stamp.check(tmp_path, ("simulator",)) == "demo"
    assert stamp.check(tmp_path, (f"b3:{file}",)) == "demo"
    assert (tmp_path / "stamp.json").read_text(encoding="utf-8") == '{"kind":"demo"}'


def test_a_live_directory_takes_files_and_no_simulator(tmp_path, file):
    (tmp_path / "stamp.json").write_text('{"kind":"live"}', encoding="utf-8")

    assert stamp.check(tmp_path, (f"b3:{file}",)) == "live"
    with pytest.raises(UsageError, match="holds live data"):
        stamp.check(tmp_path, ("simulator",))


def test_a_stamp_that_says_something_else_is_refused(tmp_path):
    (tmp_path / "stamp.json").write_text('{"kind":"neither"}', encoding="utf-8")

    with pytest.raises(UsageError, match="does not say demo or live"):
        stamp.check(tmp_path, ("simulator",))


def test_true_ticks_stamp_a_new_directory_live_and_never_enter_a_demo(tmp_path):
    (tmp_path / "new").mkdir()
    assert stamp.check(tmp_path / "new", ("profitdll",)) == "live"

    stamp.check(tmp_path, ("simulator",))
    with pytest.raises(UsageError, match="holds demo data"):
        stamp.check(tmp_path, ("profitdll",))


def test_true_ticks_have_a_directory_of_their_own_unless_one_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("TRADINGSYSTEM_DATA_DIR", raising=False)
    assert stamp.directory_for(("profitdll",), None) == stamp.LIVE_DIR
    assert stamp.directory_for(("profitdll",), tmp_path) == tmp_path
    assert stamp.directory_for(("simulator",), None) is None

    monkeypatch.setenv("TRADINGSYSTEM_DATA_DIR", str(tmp_path))
    assert stamp.directory_for(("profitdll",), None) is None
