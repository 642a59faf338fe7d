"""Programs written as users of the DLL write them, run unchanged against the simulator: C# on Mono and CoreCLR, C++."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from realtime.profitdll import host
from realtime.profitdll.simulator.build import built, placed

SAMPLES = Path(__file__).parent / "sample"
SCRIPT = """\
seed 7
start 2026-11-20 10:30:00
handshake 60
symbol-rate 100
accounts after 5 rest 15
order history 20
"""
WINE = ("wine64", "wine", "/usr/lib/wine/wine64")
PROGRAMS = {"Client": (), "CurrentClient": ("-define:SHORT_NAME",), "Careless": ()}
SECONDS = 50

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def programs(market_library, tmp_path_factory):
    """A folder as a user has it: programs with the library beside them, by the names that bindings import."""
    folder = tmp_path_factory.mktemp("programs")
    placed(market_library, folder)
    (folder / "script").write_text(SCRIPT, encoding="utf-8")
    for main, flags in PROGRAMS.items():
        command = ["mcs", "-langversion:5", *flags, f"-main:{main}", f"-out:{folder / main}.exe"]
        subprocess.run([*command, *map(str, sorted(SAMPLES.glob("*.cs")))], check=True, timeout=SECONDS)
        shutil.copy(folder / f"{main}.exe", folder / f"{main}.dll")  # `dotnet` runs files of this name only
        shutil.copy(host.HERE / "runtimeconfig.json", folder / f"{main}.runtimeconfig.json")
    return folder


@pytest.fixture(params=["mono", "coreclr"])
def run(request, programs):
    def run_program(main, *arguments):
        dotnet = [str(host.dotnet_root() / "dotnet"), f"{main}.dll"]
        command = ["mono", f"{main}.exe"] if request.param == "mono" else dotnet
        return finished([*command, *arguments], programs, script=programs / "script")

    return run_program


@pytest.fixture(scope="module")
def windows(tmp_path_factory, session_folder):
    """The same for Windows, and a prefix of Wine made beforehand, which takes its time."""
    folder = tmp_path_factory.mktemp("windows")
    placed(built(session_folder.parent / "profitdll-simulator", windows=True), folder)
    (folder / "script").write_text(SCRIPT, encoding="utf-8")
    compiler = ["x86_64-w64-mingw32-g++", "-std=c++17", "-O1", "-static", "-Wall", "-Wextra", "-Werror"]
    command = [*compiler, "-Wno-cast-function-type", str(SAMPLES / "client.cpp"), "-o", str(folder / "client.exe")]
    subprocess.run(command, check=True, timeout=SECONDS)
    begin = [wine(), "wineboot", "--init"]
    subprocess.run(begin, check=True, capture_output=True, env=wine_environment(folder), timeout=120)
    return folder


def wine():
    return next(path for name in WINE if (path := shutil.which(name)))


def wine_environment(folder):
    return {**os.environ, "WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all"}


def finished(command, folder, *, script, environment=None):
    environment = {**(environment or os.environ), "PROFITDLL_SIMULATOR_SCRIPT": str(script)}
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["legacy", "mixed"])
def test_a_program_with_callbacks_in_its_login_and_legacy_orders_runs(run, mode):
    code, said = run("Client", mode)

    assert code == 0, said
    assert f"saw {'legacy trade' if mode == 'legacy' else 'trade'} PETR4" in said
    assert "finalise 0" in said


def test_a_program_with_the_current_records_and_callbacks_runs(run):
    code, said = run("CurrentClient")

    assert code == 0, said
    assert "passed" in said.split()


@pytest.mark.parametrize("habit", ["nulls", "texts", "order", "busy", "inside", "exit"])
def test_a_careless_program_neither_crashes_nor_hangs(run, habit):
    code, said = run("Careless", habit)

    assert code == 0, said
    assert "passed" in said


def test_a_program_may_leave_its_main_function_without_finalising(programs):
    """Not on Mono, which waits for every native thread that has called back."""
    command = [str(host.dotnet_root() / "dotnet"), "Careless.dll", "leave"]
    code, said = finished(command, programs, script=programs / "script")

    assert code == 0, said


@pytest.mark.timeout(180)  # the first start of Wine makes its prefix
@pytest.mark.parametrize("mode", ["legacy", "current", "leave"])
def test_a_cpp_program_runs_under_wine(windows, mode):
    environment = wine_environment(windows)
    script = f"Z:{windows / 'script'}"
    code, said = finished([wine(), "client.exe", mode], windows, script=script, environment=environment)

    assert code == 0, said
    assert "passed" in said.split(), said
