"""Builds the simulator's native library from its sources, once: with the machine's C compiler, else with zig from PyPI.

The library lies in a folder named by the hash of sources and command, so a later start costs one hash.
`python -m realtime.profitdll.simulator.build FOLDER [--windows]` puts it beside a program of your own.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from filelock import FileLock

SOURCES = Path(__file__).resolve().parent
COMPILERS = ("cc", "gcc", "clang")
MINGW = "x86_64-w64-mingw32-gcc"
ZIG = "0.17.0"  # pinned with its hashes in zig.lock; 411 MB installed
NAMES = ("ProfitDLL64.dll", "ProfitDLL.dll")  # what sample bindings import, on Linux too
FLAGS = ("-std=c11", "-O2", "-shared", "-fvisibility=hidden", "-D_FILE_OFFSET_BITS=64")
WINDOWS_FLAGS = ("-static-libgcc", "-lwinmm")
# Never unloaded: Mono does so at its exit, under the feet of threads that nobody has finalised.
UNIX_FLAGS = ("-fPIC", "-D_GNU_SOURCE", "-Wl,-z,nodelete", "-lpthread", "-lm")
BUILD_SECONDS = 600
FETCH_SECONDS = 1800

Say = Callable[[str], None]


class BuildError(Exception):
    """The simulator's library could not be built; the message names what to install."""


def built(
    into: Path,
    *,
    windows: bool = sys.platform == "win32",
    downloads: Path | None = None,
    flags: Iterable[str] = (),
    say: Say = lambda _: None,
) -> Path:
    """The library, built under `into` if it is not there yet. `windows` builds a DLL, also on another system.

    Without a C compiler zig is fetched into `downloads`, with a line to `say` before; BuildError when that fails too.
    """
    name = "ProfitDLL64.dll" if windows else "libProfitDLL64.so"
    extra = tuple(flags)
    library = into / f"profitdll-{_digest(windows, extra)}" / name
    if library.is_file():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(library.parent) + ".lock"):
        if not library.is_file():
            _compile(compiler(downloads, say, windows=windows), library, windows, extra, say)
    return library


def placed(library: Path, folder: Path) -> list[Path]:
    """`library` in `folder`, by its own name and by those that bindings import; what stands there is replaced.

    One file under several names, so that a process loads it once. No symbolic links: CoreCLR's host follows them and
    refuses a name that does not end in `.dll`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [folder / name for name in dict.fromkeys((library.name, *NAMES))]
    for path in found:
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(library)
        except OSError:
            shutil.copy2(library, path)
    return found


def sources() -> list[Path]:
    """The C files to compile."""
    return sorted(SOURCES.glob("*.c"))


def _digest(windows: bool, flags: tuple[str, ...]) -> str:
    hashed = hashlib.blake2b(repr((windows, _flags(windows), flags)).encode(), digest_size=8)
    for path in sorted((*sources(), *SOURCES.glob("*.h"))):
        hashed.update(path.name.encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def _flags(windows: bool) -> tuple[str, ...]:
    return FLAGS + (WINDOWS_FLAGS if windows else UNIX_FLAGS)


def compiler(
    downloads: Path | None, say: Say = lambda _: None, *, windows: bool = sys.platform == "win32"
) -> list[str]:
    """The command that compiles C for the wanted system. Raises BuildError."""
    if windows and sys.platform != "win32":
        names: tuple[str, ...] = (MINGW,)
    else:
        names = ("gcc", "clang") if windows else COMPILERS
    for name in names:
        if found := shutil.which(name):
            return [found]
    target = "x86_64-windows-gnu" if windows else "native"
    return [str(_zig(downloads, names, say)), "cc", "-target", target]


def _zig(downloads: Path | None, names: tuple[str, ...], say: Say) -> Path:
    remedy = f"install one of {', '.join(names)} (Debian: gcc, gcc-mingw-w64-x86-64; macOS: xcode-select --install)"
    if downloads is None:
        raise BuildError(f"there is no C compiler to build the ProfitDLL simulator with: {remedy}")
    folder = downloads / f"ziglang-{ZIG}"
    executable = folder / "ziglang" / ("zig.exe" if sys.platform == "win32" else "zig")
    with FileLock(f"{folder}.lock"):
        if not executable.is_file():
            _fetch_zig(folder, remedy, say)
    return executable


def _fetch_zig(folder: Path, remedy: str, say: Say) -> None:
    say(f"no C compiler found: fetching zig {ZIG} to build the ProfitDLL simulator with (411 MB installed, once)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--target", str(Path(partial) / "whole"), "--requirement", str(SOURCES / "zig.lock")]
        try:
            _run(command, FETCH_SECONDS)
        except BuildError as error:
            raise BuildError(f"zig {ZIG} could not be fetched ({error}): check the network, or {remedy}") from error
        Path(partial, "whole").replace(folder)  # never a half-unpacked compiler


def _compile(compiler: list[str], library: Path, windows: bool, flags: tuple[str, ...], say: Say) -> None:
    say("building the ProfitDLL simulator (once)")
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / library.name
        named = [] if windows else [f"-Wl,-soname,{library.name}"]
        _run([*compiler, *map(str, sources()), *_flags(windows), *flags, *named, "-o", str(made)], BUILD_SECONDS)
        made.replace(library)


def _run(command: list[str], seconds: float) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{Path(command[0]).name} took longer than {seconds:.0f} seconds") from error
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise BuildError(f"{Path(command[0]).name} ended with {done.returncode}: {last}")


def main(arguments: list[str]) -> None:
    """FOLDER [--windows]: builds below the folder, if need be with zig, and places the library in it."""
    folders = [argument for argument in arguments if not argument.startswith("-")]
    if len(folders) != 1 or not set(arguments) - set(folders) <= {"--windows"}:
        raise SystemExit("expected: python -m realtime.profitdll.simulator.build FOLDER [--windows]")
    folder = Path(folders[0]).resolve()
    below = folder / "profitdll-simulator"
    windows = sys.platform == "win32" or "--windows" in arguments
    try:
        library = built(below, windows=windows, downloads=below, say=lambda line: _written(sys.stderr, line))
    except BuildError as error:
        raise SystemExit(str(error)) from error
    for path in placed(library, folder):
        _written(sys.stdout, str(path))


def _written(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
