"""The pump: a small library with ProfitDLL's interface, compiled once for these tests, and processes that host it."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from config.settings import ROOT
from realtime.profitdll.simulator import build

HERE = Path(__file__).resolve().parent
DOWNLOADS = Path(os.environ.get("TRADINGSYSTEM_DOWNLOADS_DIR", ROOT / ".data" / "downloads"))
HEADERS = ROOT / "realtime" / "profitdll" / "simulator"


def compile_pump(folder: Path) -> Path:
    """`libProfitDLL64.so` of `pump.c` (callbacks) and `desk.c` (requests) in `folder`."""
    return compiled(folder, [HERE / "pump.c", HERE / "desk.c"])


def compiled(folder: Path, sources: list[Path]) -> Path:
    library = folder / "libProfitDLL64.so"
    compiler = build.compiler(DOWNLOADS)
    options = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-soname,libProfitDLL64.so", "-pthread"]
    options += ["-D_GNU_SOURCE", "-I", str(HEADERS), "-o", str(library)]
    subprocess.run([*compiler, *options, *map(str, sources), "-lm"], check=True, capture_output=True, text=True)
    return library


@functools.cache
def pump() -> Path:
    """The library of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="pump-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return compile_pump(folder)


@functools.cache
def simulator() -> Path:
    """The simulator's library."""
    folder = Path(tempfile.mkdtemp(prefix="simulator-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build.built(folder, downloads=DOWNLOADS)


def in_a_process(program: str, *, library: Path | None = None, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs a program in a new interpreter: a process loads one DLL and connects once. `LIBRARY` is the DLL's path."""
    prologue = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
    text = f"{prologue}LIBRARY = Path({str(library or pump())!r})\n{program}"
    command = [sys.executable, "-P", "-W", "error", "-c", text]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
