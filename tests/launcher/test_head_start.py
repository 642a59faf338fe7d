"""The class cache is a convenience: made once, never trusted, never needed."""

import shutil
from pathlib import Path

import pytest

from launcher import engines as embedded
from launcher.engines import head_start, questdb
from launcher.report import Silent


@pytest.fixture
def own_jar(settings_in, tmp_path: Path):
    """Settings with a copy of the real jar in a downloads directory of its own, without a cache."""
    shared = settings_in(tmp_path / "elsewhere")
    questdb.provide(shared, Silent())
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    shutil.copy(shared.downloads_dir / questdb.JAR, downloads)
    return settings_in(tmp_path / "data", TRADINGSYSTEM_DOWNLOADS_DIR=str(downloads))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_damaged_cache_does_not_keep_questdb_from_starting(own_jar):
    jar = own_jar.downloads_dir / questdb.JAR
    questdb.quicken(own_jar, Silent())
    cache = head_start.place(jar)
    assert cache.stat().st_size > 1_000_000
    assert head_start.flags(jar, 25)
    with cache.open("r+b") as file:
        for offset in range(2_000_000, cache.stat().st_size, 1_000_003):
            file.seek(offset)
            file.write(b"\xff\x00\xff")
    with embedded.running(own_jar) as settings:
        embedded.ask(settings, "questdb")

    assert sorted(path.name for path in own_jar.downloads_dir.iterdir()) == sorted([cache.name, jar.name])


def test_an_attempt_that_fails_is_not_repeated(own_jar, monkeypatch):
    jar = own_jar.downloads_dir / questdb.JAR
    monkeypatch.setattr(head_start, "training", lambda _: ["-XX:NoSuchFlag"])
    questdb.quicken(own_jar, Silent())

    assert not head_start.wanted(jar, 25)
    assert head_start.flags(jar, 25) == []


def test_an_older_java_and_another_jar_do_without(own_jar):
    jar = own_jar.downloads_dir / questdb.JAR
    head_start.place(jar).write_bytes(b"cache")

    assert head_start.flags(jar, 24) == []
    assert not head_start.wanted(jar, 24)
    jar.touch()
    assert head_start.flags(jar, 25) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_jar_that_was_moved_with_its_cache_starts(own_jar, settings_in, tmp_path):
    questdb.quicken(own_jar, Silent())
    moved = tmp_path / "moved"
    own_jar.downloads_dir.rename(moved)  # times stay

    with embedded.running(settings_in(tmp_path / "data", TRADINGSYSTEM_DOWNLOADS_DIR=str(moved))) as settings:
        embedded.ask(settings, "questdb")
