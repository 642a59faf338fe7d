"""The .NET runtime inside this process: loaded once, with our assembly in it, after the DLL that the assembly binds to.

Linux: the CoreCLR of the package `dotnetcore2`, else an installed .NET. Windows: .NET Framework, or an installed .NET.
Never fork after loading; subprocesses are fine.
"""

import contextlib
import ctypes
import importlib
import os
import platform
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from realtime import records
from realtime.profitdll import assembly
from realtime.profitdll.errors import AssemblyError, LibraryError, RuntimeMissingError

Choice = Literal["auto", "netfx", "coreclr"]
HERE = Path(__file__).resolve().parent
LIBRARY = "ProfitDLL64"
_lock = threading.Lock()
_loaded: dict[str, Any] = {}


def load(library: Path, runtime: Choice = "auto") -> ModuleType:
    """The assembly's namespace, bound to the DLL at `library`; a second call must name the same file.

    Raises LibraryError, RuntimeMissingError or AssemblyError, each saying what is missing.
    """
    path = library.resolve()
    with _lock:
        if not _loaded:
            native = native_library(path)
            interop = assembly_in(runtime)
            check_layouts(interop.Layouts.All())
            if not interop.Binding.Use(native._handle) and path.name.lower() != f"{LIBRARY}.dll".lower():
                raise LibraryError(
                    f"expected a file named {LIBRARY}.dll, found {path}: .NET Framework binds by that name"
                )
            _loaded.update(path=path, native=native, interop=interop)
        if _loaded["path"] != path:
            raise LibraryError(f"this process has loaded {_loaded['path']} and cannot load {path} too")
        namespace: ModuleType = _loaded["interop"]
        return namespace


def native_library(path: Path) -> ctypes.CDLL:
    """Loads the DLL by its absolute path, with the companions beside it."""
    if sys.maxsize < 2**32 or platform.machine().lower() not in ("amd64", "x86_64"):
        raise LibraryError(f"ProfitDLL needs a 64-bit Python on x86-64, found {platform.machine()}")
    if not path.is_file():
        raise LibraryError(f"expected the DLL at {path}, found no file")
    try:
        if os.name == "nt":
            os.add_dll_directory(str(path.parent))  # type: ignore[attr-defined,unused-ignore]
            return ctypes.WinDLL(str(path))  # type: ignore[attr-defined,no-any-return,unused-ignore]
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryError(f"{path} cannot be loaded: {error}") from error


def assembly_in(runtime: Choice) -> ModuleType:
    """The namespace of our assembly in a runtime that is loaded now, or was before."""
    if not assembly.ASSEMBLY.is_file():
        raise AssemblyError(f"expected {assembly.ASSEMBLY}, found none: run python -m realtime.profitdll.assembly")
    with handlers_kept():
        load_runtime(runtime)
        clr = importlib.import_module("clr")
        clr.AddReference(str(assembly.ASSEMBLY))
    interop = importlib.import_module("ProfitInterop")
    if (made_of := interop.Layouts.Source()) != assembly.source_digest():
        raise AssemblyError(f"{assembly.ASSEMBLY} was built of sources {made_of}, these are {assembly.source_digest()}")
    return interop


def load_runtime(runtime: Choice) -> None:
    pythonnet = importlib.import_module("pythonnet")
    if pythonnet.get_runtime_info() is not None:
        pythonnet.load()
        return
    try:
        if os.name == "nt" and runtime in ("auto", "netfx"):
            pythonnet.load("netfx")
            return
        # Neither diagnostic sockets that a killed process leaves behind, nor a second listener thread.
        os.environ.setdefault("COMPlus_EnableDiagnostics", "0")
        os.environ.setdefault("DOTNET_EnableDiagnostics", "0")
        pythonnet.load("coreclr", runtime_config=HERE / "runtimeconfig.json", dotnet_root=dotnet_root())
    except RuntimeError as error:
        raise RuntimeMissingError(f"the .NET runtime ({runtime}) cannot start: {error}") from error


def dotnet_root() -> Path:
    """Where `host/fxr` and `shared` of a .NET lie."""
    with contextlib.suppress(ImportError):
        return Path(str(importlib.import_module("dotnetcore2").__file__)).parent / "bin"
    program = shutil.which("dotnet")
    places = [os.environ.get("DOTNET_ROOT"), program and str(Path(program).resolve().parent)]
    for place in filter(None, places):
        if (Path(place) / "host" / "fxr").is_dir():
            return Path(place)
    raise RuntimeMissingError(
        "expected the package dotnetcore2 (pip, Linux on x86-64), DOTNET_ROOT or `dotnet` on PATH, found none"
    )


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """CoreCLR takes SIGINT, SIGQUIT and SIGTERM for itself; Python's answers are put back."""
    numbers = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGQUIT] if hasattr(signal, "SIGQUIT") else [])
    kept = {number: signal.getsignal(number) for number in numbers}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in kept.items():
            if handler is not None:
                signal.signal(number, handler)


def check_layouts(lines: str) -> None:
    """Raise AssemblyError where the assembly's records are not those of `realtime.records`."""
    theirs = dict(line.split() for line in lines.splitlines())
    for struct, dtype in (
        ("MarketRecord", records.RECORD),
        ("DailyPrices", records.DAILY_PRICES),
        ("DailyCounts", records.DAILY_COUNTS),
        ("ControlRecord", records.CONTROL),
    ):
        for name, expected in (layout := layout_of(struct, dtype)).items():
            if theirs.get(name) != str(expected):
                raise AssemblyError(f"{name}: expected {expected} as in realtime/records.py, found {theirs.get(name)}")
        if extra := {name for name in theirs if name.startswith(f"{struct}.")} - layout.keys():
            raise AssemblyError(f"{struct}: fields {sorted(extra)} are not in realtime/records.py")


def layout_of(struct: str, dtype: np.dtype[Any]) -> dict[str, int]:
    fields: Any = dtype.fields or {}
    return {struct: dtype.itemsize} | {f"{struct}.{name}": place[1] for name, place in fields.items()}
