"""Demo or live: a data directory is stamped at its creation, so that invented ticks never meet true ones."""

import glob
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from config.settings import Kind
from launcher.errors import UsageError

FILES = "b3:"


class Stamp(Struct, frozen=True):
    kind: Kind


def sources_of(given: tuple[str, ...]) -> tuple[str, ...]:
    """The sources of `--source`, files made absolute and patterns expanded; the simulator when none is given.

    Raises UsageError for what is no source, a file that is not there, and the broker this build cannot reach.
    """
    if not given:
        return ("simulator",)
    if "profitdll" in given:
        where = "" if sys.platform == "win32" else ", and ProfitDLL runs on Windows only"
        raise UsageError(
            f"--source profitdll: this build has no ProfitDLL adapter yet{where}; use simulator or b3:FILE"
        )
    if given == ("simulator",):
        return given
    if not all(source.startswith(FILES) for source in given):
        raise UsageError(f"--source {' '.join(given)}: expected simulator, profitdll, or b3:FILE (may be repeated)")
    return tuple(f"{FILES}{path}" for source in given for path in _files(source.removeprefix(FILES)))


def check(data_dir: Path, sources: tuple[str, ...]) -> Kind:
    """Stamp a new directory for its source, hold an old one to its stamp. Raises UsageError when they do not fit.

    The simulator needs a demo directory. B3 files fit in both; they stamp a new one `demo`.
    """
    path = data_dir / "stamp.json"
    if not path.is_file():
        path.write_bytes(msgspec.json.encode(Stamp("demo")))
    try:
        kind = msgspec.json.decode(path.read_bytes(), type=Stamp).kind
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} does not say demo or live ({error}): restore it from a backup") from error
    if kind == "live" and "simulator" in sources:
        raise UsageError(
            f"{data_dir} holds live data (stamp.json) and the simulator invents ticks: use --source b3:FILE here, or "
            "another --data for the demo"
        )
    return kind


def _files(pattern: str) -> list[Path]:
    found = [Path(name) for name in sorted(glob.glob(pattern))] or [Path(pattern)]  # noqa: PTH207 - absolute patterns too
    for path in found:
        if not path.is_file():
            raise UsageError(f"--source {FILES}{pattern}: there is no file {path}")
    return [path.absolute() for path in found]
