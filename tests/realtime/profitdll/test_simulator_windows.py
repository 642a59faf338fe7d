"""The MinGW build under Wine: our nearest evidence for Windows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from realtime.profitdll.simulator import build
from realtime.profitdll.simulator.build import MINGW, SOURCES, built
from tests.realtime.profitdll.layouts import LAYOUTS
from tests.realtime.profitdll.market_client import build_flags

PROGRAM = Path(__file__).parent / "windows_login.c"
WINE = ("wine64", "wine", "/usr/lib/wine/wine64")


def flat_layouts():
    """The vendor's table as the DLL tells it: `Struct` with its size, `Struct.Field` with offset and size."""
    structs = {name: (0, size) for name, (size, _) in LAYOUTS.items()}
    fields = {f"{name}.{field}": place for name, (_, placed) in LAYOUTS.items() for field, place in placed.items()}
    return structs | fields


@pytest.mark.system
@pytest.mark.timeout(300)  # the first start of Wine makes its prefix
def test_the_dll_built_by_mingw_has_the_layouts_and_delivers_trades_under_wine(tmp_path):
    dll = built(tmp_path, windows=True, flags=("-Wall", "-Wextra", "-Werror"))
    program, script = tmp_path / "login.exe", tmp_path / "script"
    compile_it = [MINGW, "-std=c11", "-O2", "-Wall", f"-I{SOURCES}", str(PROGRAM), "-o", str(program)]
    subprocess.run(compile_it, check=True, timeout=120)
    script.write_text("start 2026-11-20 10:30:00\nsymbol-rate 500\nhandshake 20\n", encoding="utf-8")
    wine = next(path for name in WINE if (path := shutil.which(name)))
    environment = {
        **os.environ,
        "WINEPREFIX": str(tmp_path / "prefix"),
        "WINEDEBUG": "-all",
        "PROFITDLL_SIMULATOR_SCRIPT": f"Z:{script}",
    }
    done = subprocess.run(
        [wine, str(program), f"Z:{dll}"], check=False, capture_output=True, text=True, timeout=240, env=environment
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "differing 0" in done.stdout
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("layout ")]
    assert {name: (int(offset), int(size)) for name, offset, size in told} == flat_layouts()
    assert "trades 1 wrong 0" in done.stdout


def test_the_dll_exports_every_function_of_the_header(market_library):
    import ctypes
    import re

    calls = (SOURCES / "profitdll_calls.h").read_text(encoding="utf-8")
    market = re.findall(r"^API (\w+)\(", calls.split("/* ---- accounts and positions")[0], re.MULTILINE)
    setters = re.findall(r"^    SETTER\((\w+),", calls, re.MULTILINE)
    rest = re.findall(
        r"(?:^API|^API64|PROFIT_CALL) (\w+)\(", calls.split("/* ---- accounts and positions")[1], re.MULTILINE
    )
    library = ctypes.CDLL(str(market_library))
    wanted = market + setters + (rest if (SOURCES / "trading.c").exists() else [])

    assert len(market) > 25
    assert len(setters) == 34
    assert [name for name in wanted if not hasattr(library, name)] == []


def test_a_second_build_is_the_first_and_other_sources_are_another(market_library, tmp_path, monkeypatch):
    folder = market_library.parent.parent
    flags = build_flags()
    monkeypatch.setattr(build, "_run", lambda *_: pytest.fail("compiled again"))

    assert built(folder, flags=flags) == market_library
    with pytest.raises(BaseException, match="compiled again"):
        built(folder, flags=(*flags, "-DOTHER"))


def test_without_a_compiler_zig_is_fetched_by_its_pins_or_the_error_says_what_to_install(tmp_path, monkeypatch):
    said, commands = [], []

    def refused(command, seconds):
        commands.append(command)
        raise build.BuildError("no network")

    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build, "_run", refused)
    with pytest.raises(build.BuildError, match=r"install one of cc, gcc, clang"):
        built(tmp_path / "a")
    with pytest.raises(build.BuildError, match=r"zig 0.17.0 could not be fetched \(no network\): check the network"):
        built(tmp_path / "a", downloads=tmp_path / "downloads", say=said.append)

    assert "411 MB" in said[0]
    assert {"--require-hashes", "--target"} <= set(commands[0])


def test_with_zig_its_c_compiler_builds_for_the_wanted_system(tmp_path, monkeypatch):
    commands = []
    zig = tmp_path / "downloads" / f"ziglang-{build.ZIG}" / "ziglang" / "zig"
    zig.parent.mkdir(parents=True)
    zig.touch()

    def compiled(command, seconds):
        commands.append(command)
        Path(command[command.index("-o") + 1]).touch()

    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build, "_run", compiled)
    built(tmp_path / "a", windows=True, downloads=tmp_path / "downloads")

    assert commands[0][:4] == [str(zig), "cc", "-target", "x86_64-windows-gnu"]


def test_the_library_is_placed_under_the_names_that_bindings_import_as_one_file(market_library, tmp_path):
    (tmp_path / "ProfitDLL.dll").write_bytes(b"another")
    placed = build.placed(market_library, tmp_path)

    assert [path.name for path in placed] == ["libProfitDLL64.so", "ProfitDLL64.dll", "ProfitDLL.dll"]
    assert {path.read_bytes() == market_library.read_bytes() for path in placed} == {True}
    assert not any(path.is_symlink() for path in placed)


@pytest.mark.parametrize("arguments", [[], ["one", "two"], ["one", "--linux"]])
def test_building_for_a_program_of_ones_own_says_what_it_expects(arguments):
    with pytest.raises(SystemExit, match=r"FOLDER \[--windows\]"):
        build.main(arguments)
