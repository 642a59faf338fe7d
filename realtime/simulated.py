"""The simulated broker as a source: a native library that stands where ProfitDLL does, with a market of its own."""

import ctypes
from collections.abc import Callable
from pathlib import Path

from realtime.profitdll.simulator import build
from sql import durable

SYMBOLS = "WINX99 WDOX99 DEMO4"
SCRIPT = """\
# The demo's market: invented symbols of 2099, open at all hours. What the words mean: docs/simulator.md
seed 7
speed 1
symbol WINX99 F price 131250 tick 5 lot 1 rate 9
symbol WDOX99 F price 5412.5 tick 0.5 lot 1 rate 5
symbol DEMO4 B price 38.42 tick 0.01 lot 100 rate 2
"""


class SimulatorError(Exception):
    """The simulator cannot play; the message says why."""


def library(downloads: Path, say: Callable[[str], None] = print) -> Path:
    """The library, built for this machine; the second time it is there. Raises build.BuildError."""
    made: Path = build.built(downloads / "simulator", downloads=downloads, say=say)
    return made


def script(data_dir: Path, own: Path | None) -> Path:
    """The script to play: yours, or the demo's in the data directory."""
    if own is not None:
        if not own.is_file():
            raise SimulatorError(f"TRADINGSYSTEM_SIMULATOR_SCRIPT: there is no file {own}")
        return own
    path = data_dir / "run" / "simulator.txt"
    state = data_dir / "orders" / "simulator"  # its broker remembers orders and positions, as a true one does
    state.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, f'{SCRIPT}order broker-state "{state}"\n'.encode())
    return path


def load(library: Path, script: Path) -> None:
    """Hand the script over, before anything is initialised. Raises SimulatorError with the line that is wrong."""
    native = ctypes.CDLL(str(library))
    if native.SimLoadScript(_text(str(script))):
        said = (ctypes.c_uint16 * 512)()
        native.SimLastError(said, len(said))
        raise SimulatorError(f"{script}: {bytes(said).decode('utf-16-le', 'replace').partition(chr(0))[0]}")


def is_simulator(library: Path) -> bool:
    """Whether a library is the simulator and not the broker's own: invented ticks must not enter a live directory."""
    return b"SimLoadScript" in library.read_bytes()


def _text(words: str) -> ctypes.Array[ctypes.c_uint16]:
    units = words.encode("utf-16-le") + b"\0\0"
    return (ctypes.c_uint16 * (len(units) // 2)).from_buffer_copy(units)
