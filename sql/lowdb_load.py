"""Bring the files of LowDB in: one transaction a file, under a lock, so that it can be run again and by two at once."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from sql import lowdb
from sql.lowdb import Kind, Mapped, Note, Refused
from sql.lowdb_documentation import documentation_rows
from sql.queries import statement
from sql.warm import Cursor, connection_to

AUTHOR = "import lowdb"
BATCH = 1_000
MOST_BYTES = 50 << 20  # of a file: what the original took at most
ONE_AT_A_TIME = 7_310_009  # advisory lock of imports: the ids of a hypertable have no unique index


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the records for one table. `skipped` were there already, or were deleted since."""

    migrated: int
    skipped: int
    duplicates: int
    errors: int
    total: int


class Report(Struct, frozen=True, kw_only=True):
    """What became of one file. A file that is not there holds nothing."""

    file: str
    kind: Kind | None
    written: bool  # false for a rehearsal, and when a record was refused that nobody said to leave out
    tables: dict[str, Counts]
    refusals: list[Note]
    duplicates: list[Note]
    warnings: list[Note]


def import_file(
    path: Path,
    dsns: Mapping[Kind, str],
    *,
    uploads: Path | None = None,
    rehearse: bool = False,
    lenient: bool = False,
) -> Report:
    """Bring one file in. Records that are stored already stay as they are, however often it is run.

    A refused record stops the file, and nothing of it is written, unless `lenient` leaves such records out.
    `rehearse` does it all and takes it back. Files that documentation speaks of lie in `uploads`, or else beside it.
    Raises LowDbError for a file that is none of LowDB's.
    """
    if not path.is_file():
        return Report(file=str(path), kind=None, written=False, tables={}, refusals=[], duplicates=[], warnings=[])
    root = lowdb.root_of(_content(path), path.name)
    kind = lowdb.kind_of(root, path.name)
    found = _mapped(root, kind, dt.datetime.now(dt.UTC), uploads or path.parent)
    stopped = not lenient and any(mapped.refusals for mapped in found.values())
    made = dict.fromkeys(found, 0) if stopped else _written(dsns[kind], kind, found, rehearse=rehearse)
    return Report(
        file=str(path),
        kind=kind,
        written=not (rehearse or stopped),
        tables={table: _counts(mapped, made[table], stopped=stopped) for table, mapped in found.items()},
        refusals=[note for mapped in found.values() for note in mapped.refusals],
        duplicates=[note for mapped in found.values() for note in mapped.duplicates],
        warnings=[note for mapped in found.values() for note in mapped.warnings],
    )


def _mapped(root: Any, kind: Kind, now: dt.datetime, uploads: Path) -> dict[str, Mapped]:
    if kind == "workspace":
        return {"workspace_items": lowdb.workspace_items(root, now)}
    return documentation_rows(root, now, lambda told: upload(uploads, told))


def upload(folder: Path, told: str) -> bytes:
    """The bytes of a file below `folder`, at the path that a record has for it or else under its last part alone.

    Raises Refused; nothing outside the folder is read, whatever a record says.
    """
    root = folder.resolve()
    last = PurePosixPath(told.replace("\\", "/")).name
    try:
        paths = [(root / told).resolve(), (root / last).resolve()]
        found = next((path for path in paths if path.is_relative_to(root) and path.is_file()), None)
    except OSError as error:  # a name that no file can have
        raise Refused(f"{told[:80]!r}: {error.strerror}") from error
    if found is None:
        raise Refused(f"there is no file {told!r} below {folder}")
    if (size := found.stat().st_size) > MOST_BYTES:
        raise Refused(f"{told}: has {size} bytes, {MOST_BYTES} at most")
    return _content(found)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise lowdb.LowDbError(f"{path}: cannot be read: {error}") from error


def _written(dsn: str, kind: Kind, found: Mapping[str, Mapped], *, rehearse: bool) -> dict[str, int]:
    with connection_to(dsn) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
        made = {table: _insert(cursor, kind, table, mapped) for table, mapped in found.items()}
        if rehearse:
            connection.rollback()
    return made


def _insert(cursor: Cursor, kind: Kind, table: str, mapped: Mapped) -> int:
    made = 0
    text = statement(kind, f"import_{table.removeprefix(f'{kind}_')}")
    batch = 1 if table == "documentation_files" else BATCH
    for start in range(0, len(mapped.rows), batch):
        records = [msgspec.structs.asdict(row) for row in mapped.rows[start : start + batch]]
        cursor.execute(text, {"records": msgspec.json.encode(records).decode(), "by": AUTHOR})
        made += cursor.rowcount
    return made


def _counts(mapped: Mapped, made: int, *, stopped: bool) -> Counts:
    rows, duplicates, errors = len(mapped.rows), len(mapped.duplicates), len(mapped.refusals)
    return Counts(
        migrated=made,
        skipped=0 if stopped else rows - made,
        duplicates=duplicates,
        errors=errors,
        total=rows + duplicates + errors,
    )
