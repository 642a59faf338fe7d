"""The built assembly and the sources beside it."""

import shutil

import pytest

from realtime.profitdll import assembly
from realtime.profitdll.errors import AssemblyError


def test_the_committed_assembly_is_that_of_the_committed_sources():
    assembly.check()


def test_a_changed_source_is_noticed(monkeypatch):
    monkeypatch.setattr(assembly, "source_digest", lambda: "0" * 64)

    with pytest.raises(AssemblyError, match="for sources, found 0000"):
        assembly.check()


def test_another_assembly_is_noticed(monkeypatch):
    monkeypatch.setattr(assembly, "file_digest", lambda _path: "1" * 64)

    with pytest.raises(AssemblyError, match=r"for Interop\.dll, found 1111"):
        assembly.check()


def test_building_without_a_compiler_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    with pytest.raises(AssemblyError, match="mono-mcs"):
        assembly.build(tmp_path / "Interop.dll")


@pytest.mark.system
def test_the_committed_assembly_is_rebuilt_of_its_sources(tmp_path):
    """Builds differ in a stamp and an id (20 bytes); nothing else may."""
    rebuilt = tmp_path / assembly.ASSEMBLY.name
    assembly.build(rebuilt)
    ours, theirs = assembly.ASSEMBLY.read_bytes(), rebuilt.read_bytes()

    assert len(ours) == len(theirs)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) <= 20


def test_all_sources_are_compiled():
    assert {path.name for path in assembly.HERE.glob("*.cs")} == set(assembly.SOURCES)
