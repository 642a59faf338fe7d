"""What a start will find: each thing that a source needs, whether it is there, and what to do when it is not.

Looks only: makes no directory, loads no DLL, logs in nowhere, and never shows a secret.
"""

import importlib.util
import platform
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from config import manifest
from config.settings import Settings
from launcher import instance, stamp
from launcher.engines import questdb
from launcher.errors import LauncherError, PortTakenError

ROOM_BYTES = 20 * 2**30
PE_OFFSET, PE_X64 = 0x3C, 0x8664
COMPILERS = ("cc", "gcc", "clang")

State = Literal["ok", "warning", "missing"]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `remedy` is empty when nothing is to be done."""

    name: str
    state: State
    found: str
    remedy: str = ""


class Examination(Struct, frozen=True, kw_only=True):
    """All findings for one source; `ok` when nothing is missing."""

    source: str
    ok: bool
    findings: list[Finding]


def examine(settings: Settings, source: str) -> Examination:
    """Look at everything that `up --source SOURCE` will need."""
    looks: list[Callable[[Settings], Iterator[Finding]]] = [_python, _directory, _disk, _ports, _engines, _runtime]
    looks += [_broker, _symbols] if source == "profitdll" else [_compiler, _symbols]
    findings = [finding for look in looks for finding in look(settings)]
    findings += _kind(settings, source)
    return Examination(source=source, ok=all(f.state != "missing" for f in findings), findings=findings)


def _python(_: Settings) -> Iterator[Finding]:
    bits = struct.calcsize("P") * 8
    found = f"{platform.python_implementation()} {platform.python_version()}, {bits} bits, {platform.platform()}"
    fits = bits == 64 and sys.version_info >= (3, 11)
    remedy = "" if fits else "use a 64-bit Python 3.11 or newer"
    yield Finding(name="python", state="ok" if fits else "missing", found=found, remedy=remedy)


def _directory(settings: Settings) -> Iterator[Finding]:
    running = instance.running(settings.data_dir)
    there = "is there" if settings.data_dir.is_dir() else "will be made"
    state: State = "warning" if running else "ok"
    found = f"{settings.data_dir} {'is in use by a start' if running else there}"
    yield Finding(name="data directory", state=state, found=found, remedy="stop it first" if running else "")


def _kind(settings: Settings, source: str) -> Iterator[Finding]:
    kind = stamp.kind_of(settings.data_dir)
    wanted = stamp.KIND.get(source)
    fits = kind is None or wanted is None or kind == wanted
    remedy = "" if fits else f"use another --data: {source} needs a {wanted} directory"
    yield Finding(name="stamp", state="ok" if fits else "missing", found=kind or "none yet", remedy=remedy)


def _disk(settings: Settings) -> Iterator[Finding]:
    there = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(there).free
    state: State = "ok" if free > ROOM_BYTES else "warning" if free > instance.LEAST_FREE_BYTES else "missing"
    remedy = "" if state == "ok" else "a session of futures takes some GB in spool, tiers and evidence: make room"
    yield Finding(name="disk", state=state, found=f"{free / 2**30:.1f} GB free at {there}", remedy=remedy)


def _ports(settings: Settings) -> Iterator[Finding]:
    if instance.running(settings.data_dir):
        return
    taken = []
    for service in manifest.services():
        if service.managed != "internal" or service.id not in settings.ports or not service.port_variables:
            continue
        try:
            instance.check_port(service.id, settings.ports[service.id], service.port_variables[0])
        except PortTakenError as error:
            taken.append(str(error))
    if taken:
        yield from (Finding(name="port", state="missing", found=words, remedy="see there") for words in taken)
    else:
        yield Finding(name="ports", state="ok", found="all free")


def _engines(settings: Settings) -> Iterator[Finding]:
    for name, external in (("questdb", settings.questdb.external), ("postgres", settings.postgres.external)):
        if external:
            yield Finding(name=name, state="ok", found="a server of yours")
    if settings.questdb.external:
        return
    try:
        executable, version = questdb.java()
    except LauncherError as error:
        yield Finding(name="java", state="missing", found=str(error), remedy="reinstall the environment")
        return
    yield Finding(name="java", state="ok", found=f"{executable} ({version})")
    jar = any(settings.downloads_dir.glob("**/questdb*.jar"))
    found = "is there" if jar else "comes with the first start"
    yield Finding(name="questdb", state="ok" if jar else "warning", found=found, remedy="" if jar else "be online then")


def _runtime(_: Settings) -> Iterator[Finding]:
    if sys.platform == "win32":
        yield Finding(name=".NET", state="ok", found="the .NET Framework of Windows")
    elif importlib.util.find_spec("dotnetcore2"):
        yield Finding(name=".NET", state="ok", found="CoreCLR from the package dotnetcore2")
    elif dotnet := shutil.which("dotnet"):
        yield Finding(name=".NET", state="ok", found=dotnet)
    else:
        yield Finding(name=".NET", state="missing", found="no runtime", remedy="install .NET 6 or newer")


def _compiler(_: Settings) -> Iterator[Finding]:
    found = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    remedy = "" if found else "none is needed, but the first start downloads one (400 MB); gcc or clang avoid that"
    yield Finding(name="C compiler", state="ok" if found else "warning", found=found or "none", remedy=remedy)


def _broker(settings: Settings) -> Iterator[Finding]:
    if sys.platform != "win32":
        yield Finding(
            name="system", state="missing", found=sys.platform, remedy="ProfitDLL runs on 64-bit Windows only"
        )
    for name in settings.profitdll.missing:
        yield Finding(name=name, state="missing", found="not set", remedy="set it in .env.local or the environment")
    library = settings.profitdll.library
    if library is not None:
        wrong = _not_a_library(library)
        yield Finding(name="ProfitDLL", state="missing" if wrong else "ok", found=str(library), remedy=wrong)


def _not_a_library(path: Path) -> str:
    """What is wrong with the file, or nothing. A DLL of 32 bits cannot be loaded by a process of 64."""
    if not path.is_file():
        return "there is no such file: PROFITDLL_PATH names ProfitDLL64.dll itself, not its folder"
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:2] != b"MZ" or len(head) < PE_OFFSET + 4:
        return "this is no Windows library"
    at = int.from_bytes(head[PE_OFFSET : PE_OFFSET + 4], "little")
    if at + 6 > len(head) or head[at : at + 4] != b"PE\0\0":
        return "this is no Windows library"
    machine = int.from_bytes(head[at + 4 : at + 6], "little")
    return "" if machine == PE_X64 else "this library has 32 bits: take the 64-bit one (ProfitDLL64.dll)"


def _symbols(settings: Settings) -> Iterator[Finding]:
    from realtime.subscriptions import parsed

    asked = settings.capture
    try:
        symbols = parsed(asked.symbols, asked.depth, asked.offers)
    except ValueError as error:
        yield Finding(name="symbols", state="missing", found=str(error), remedy="mend TRADINGSYSTEM_SYMBOLS")
        return
    names = " ".join(wanted.symbol for wanted in symbols) or "those that the source knows best"
    yield Finding(name="symbols", state="ok", found=names)
