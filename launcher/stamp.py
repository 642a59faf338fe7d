"""Demo or live: a data directory is stamped at its creation, so that invented ticks never meet true ones."""

import glob
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from config.settings import Kind
from launcher.errors import UsageError

FILES = "b3:"
SIMULATOR, PROFITDLL = "simulator", "profitdll"
KIND: Mapping[str, Kind] = MappingProxyType({SIMULATOR: "demo", PROFITDLL: "live"})  # B3 files fit in both
LIVE_DIR = Path(".data/live")


class Stamp(Struct, frozen=True):
    kind: Kind


def sources_of(given: tuple[str, ...]) -> tuple[str, ...]:
    """The sources of `--source`, files made absolute and patterns expanded; the simulator when none is given.

    Raises UsageError for what is no source, a file that is not there, and the broker's DLL on a system without it.
    """
    if not given:
        return (SIMULATOR,)
    if given == (PROFITDLL,) and sys.platform != "win32":
        raise UsageError(f"--source {PROFITDLL}: ProfitDLL runs on Windows only; use {SIMULATOR} or {FILES}FILE here")
    if given in ((SIMULATOR,), (PROFITDLL,)):
        return given
    if not all(source.startswith(FILES) for source in given):
        raise UsageError(f"--source {' '.join(given)}: expected simulator, profitdll, or b3:FILE (may be repeated)")
    return tuple(f"{FILES}{path}" for source in given for path in _files(source.removeprefix(FILES)))


def directory_for(sources: tuple[str, ...], data: Path | None) -> Path | None:
    """The data directory to use: as asked for; true market data without a word of it goes to `.data/live`."""
    if data is None and sources == (PROFITDLL,) and "TRADINGSYSTEM_DATA_DIR" not in os.environ:
        return LIVE_DIR
    return data


def kind_of(data_dir: Path) -> Kind | None:
    """What the directory is stamped; None when it has no stamp yet. Raises UsageError for a stamp that says neither."""
    path = data_dir / "stamp.json"
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stamp).kind
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} does not say demo or live ({error}): restore it from a backup") from error


def check(data_dir: Path, sources: tuple[str, ...]) -> Kind:
    """Stamp a new directory for its source, hold an old one to its stamp. Raises UsageError when they do not fit.

    The simulator needs a demo directory, ProfitDLL a live one. B3 files fit in both; they stamp a new one `demo`.
    """
    wanted = next((KIND[source] for source in sources if source in KIND), None)
    kind = kind_of(data_dir)
    if kind is None:
        kind = wanted or "demo"
        (data_dir / "stamp.json").write_bytes(msgspec.json.encode(Stamp(kind)))
    if kind == "live" and wanted == "demo":
        raise UsageError(
            f"{data_dir} holds live data (stamp.json) and the simulator invents ticks: use --source b3:FILE here, or "
            "another --data for the demo"
        )
    if kind == "demo" and wanted == "live":
        raise UsageError(
            f"{data_dir} holds demo data (stamp.json) and ProfitDLL brings true ticks: use another --data for them"
        )
    return kind


def _files(pattern: str) -> list[Path]:
    found = [Path(name) for name in sorted(glob.glob(pattern))] or [Path(pattern)]  # noqa: PTH207 - absolute patterns too
    for path in found:
        if not path.is_file():
            raise UsageError(f"--source {FILES}{pattern}: there is no file {path}")
    return [path.absolute() for path in found]
