"""The pump: a small library with ProfitDLL's interface, compiled for the session, and processes that host it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
HEADERS = ROOT / "realtime" / "profitdll" / "simulator"


def compile_pump(folder: Path) -> Path:
    """`libProfitDLL64.so` of `pump.c` (callbacks) and `desk.c` (requests) in `folder`."""
    library = folder / "libProfitDLL64.so"
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    assert compiler is not None, "expected a C compiler (gcc, cc or clang) on PATH, found none"
    options = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-soname,libProfitDLL64.so", "-pthread"]
    sources = [str(HERE / "pump.c"), str(HERE / "desk.c")]
    command = [compiler, *options, "-I", str(HEADERS), "-o", str(library), *sources]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


@pytest.fixture(scope="session")
def pump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux":
        pytest.skip("the pump needs Linux; on Windows the simulator's MinGW build takes its part")
    return compile_pump(tmp_path_factory.mktemp("pump"))


@pytest.fixture
def in_a_process(pump: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a new interpreter: a process can load one DLL and connect once. `LIBRARY` is the pump."""

    def run(program: str, *, library: Path = pump, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        prologue = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        text = f"{prologue}LIBRARY = Path({str(library)!r})\n{program}"
        command = [sys.executable, "-P", "-W", "error", "-c", text]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)

    return run
