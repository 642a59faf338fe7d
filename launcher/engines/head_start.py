"""A cache of loaded and linked Java classes, made once by a training run: QuestDB then starts with half the work.

Only a convenience: where it cannot be made or does not fit, Java starts as ever.
"""

import os
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from launcher import instance
from launcher.engines import health
from launcher.supervisor import NotReadyError

LEAST_JAVA = 25  # the first that makes the cache in one step
READY_SECONDS = 40.0
WRITE_SECONDS = 60.0


def place(jar: Path) -> Path:
    """Where the cache of this very jar is.

    Java refuses the cache of a jar with another time, but takes that of a jar that was moved: QuestDB then looks for
    its functions where the jar was, and does not start. So the place is part of the name.
    """
    jar = jar.resolve()
    return jar.with_name(f"{jar.stem}-{jar.stat().st_mtime_ns}-{zlib.crc32(str(jar).encode()):08x}.aot")


def flags(jar: Path, java_version: int) -> list[str]:
    """What to tell Java, when there is a cache."""
    cache = place(jar)
    usable = java_version >= LEAST_JAVA and cache.is_file() and cache.stat().st_size
    return [f"-XX:AOTCache={cache}", "-XX:+VerifySharedSpaces"] if usable else []


def training(made: Path) -> list[str]:
    """What to tell Java, so that it writes a cache at its end."""
    return [f"-XX:AOTCacheOutput={made}"]


def wanted(jar: Path, java_version: int) -> bool:
    """True when a cache can be made here and none was tried."""
    # On Windows nothing asks a Java process to end in order, and without that it writes no cache.
    able = sys.platform != "win32" and java_version >= LEAST_JAVA and os.access(jar.parent, os.W_OK)
    return able and not place(jar).exists()


def train(jar: Path, made: Path, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
    """Run the server until it answers, end it, keep the cache it wrote. An attempt that fails is not repeated."""
    for older in jar.parent.glob(f"{jar.stem}-*.aot"):
        older.unlink(missing_ok=True)
    http, wire = instance.free_ports(2)
    ports = {"QDB_HTTP_BIND_TO": f"127.0.0.1:{http}", "QDB_PG_NET_BIND_TO": f"127.0.0.1:{wire}"}
    _run(command, {**environment, **ports}, log, f"http://127.0.0.1:{http}/exec?query=select%201")
    if made.is_file():
        made.replace(place(jar))
    else:
        place(jar).touch()


def _run(command: Sequence[str], environment: dict[str, str], log: Path, url: str) -> None:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not _answers(url):
            time.sleep(0.1)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(WRITE_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        health.http_answers(url)
    except NotReadyError:
        return False
    return True
