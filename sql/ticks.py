"""The one writer of `ticks`. A trade is (symbol, session, trade_id), and that is settled here, before the store:
QuestDB's own key contains the time, so it would take a repeat with another time for a second trade.

One writer per session at a time: whoever writes holds `writing`, or is the only process that can write that session.
"""

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import psycopg
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from msgspec import Struct
from pyroaring import BitMap64

from sql import held
from sql.errors import StoreError
from sql.folding import IDENTITY, Outcome, settled
from sql.held import EARLIEST, LATEST, Below
from sql.hot import HotStore, instant_literal, shaped
from sql.tables import FOREIGN, TICKS, Flag
from sql.warm import WarmStore

ID_BITS = 44
MAX_TRADE_ID = (1 << ID_BITS) - 1
EPOCH = dt.date(1970, 1, 1)
SMALL_ROWS = 10_000
BATCH_ROWS = 500_000  # of one transaction: earlier ones are applied while later ones are read
RANGES_PER_QUERY = 100
LOCK_CLASS = 7741
TURNS = 64  # lock files, each for the sessions of every so many days
Keys = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class BusyError(StoreError):
    """Another process writes the same session."""


class Stored(Struct, frozen=True):
    """What a batch of reports did; each report is counted once.

    `refused` of them contradict a trade of another source; `conflicts` has these, with `price_stored`,
    `quantity_stored` and `source_stored`.
    """

    new: int
    repeated: int
    cancelled: int
    edited: int
    refused: int
    conflicts: pl.DataFrame


class Known:
    """Which trades hot holds of the sessions that were loaded: a bit each, so that only repeats are looked up.

    A trade's key is its number of (symbol, session) here, shifted, plus its id.
    """

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, dt.date], int] = {}
        self.keys = BitMap64()

    def pair(self, symbol: str, session: dt.date) -> int:
        """The number of a symbol's session."""
        return self.pairs.setdefault((symbol, session), len(self.pairs))

    def keys_of(self, frame: pl.DataFrame) -> Keys:
        """The key of every row. Raises ValueError for an id above MAX_TRADE_ID."""
        beyond = frame.filter(~pl.col("trade_id").is_between(0, MAX_TRADE_ID))
        if beyond.height:
            raise ValueError(f"trade id: expected 0 to {MAX_TRADE_ID}, found {beyond.row(0, named=True)}")
        pairs = frame.select("symbol", "session").unique()
        numbers = pairs.with_columns(pair=pl.Series([self.pair(*row) for row in pairs.iter_rows()], dtype=pl.Int64))
        joined = frame.select(IDENTITY).join(numbers, on=("symbol", "session"), how="left", maintain_order="left")
        keys: Keys = joined.select(pl.col("pair") * (MAX_TRADE_ID + 1) + pl.col("trade_id")).to_series().to_numpy()
        return keys

    def load(
        self, hot: HotStore, sessions: Iterable[dt.date], symbols: Iterable[str], below: Below | None = None
    ) -> int:
        """Learn what is held of these sessions; how many rows. Waits until all that was taken is visible."""
        hot.wait_applied(TICKS)
        found = 0
        for batch in held.identities(hot, below, sorted(set(sessions)), symbols):
            self.keys |= BitMap64(self.keys_of(batch).view(np.uint64))
            found += batch.height
        return found

    def touched(self, keys: Keys) -> Mask:
        """Which of these keys are known."""
        return member(keys, self.keys)

    def fresh(self, keys: Keys) -> Mask:
        """Which of these keys are not known, each at its first place only."""
        unknown = ~self.touched(keys)
        asked = keys if unknown.all() else keys[unknown]
        if not (np.diff(np.sort(asked)) > 0).all():
            places = np.flatnonzero(unknown)
            unknown = np.zeros(len(keys), dtype=np.bool_)
            unknown[places[np.unique(asked, return_index=True)[1]]] = True
        return unknown

    def add(self, keys: Keys) -> None:
        """Remember keys that were written."""
        self.keys |= BitMap64(keys.view(np.uint64))


def member(keys: Keys, of: BitMap64) -> Mask:
    """Which of `keys` are in the set."""
    if not len(of) or not len(keys):
        return np.zeros(len(keys), dtype=np.bool_)
    hits = of
    if len(of) > len(keys) // 4:
        asked = BitMap64(keys.view(np.uint64))
        hits = of & asked
        if len(hits) in (0, len(asked)):
            return np.full(len(keys), bool(hits), dtype=np.bool_)
    found = np.frombuffer(hits.to_array(), dtype=np.int64)
    places = np.minimum(np.searchsorted(found, keys), len(found) - 1)
    there: Mask = found[places] == keys
    return there


def numbers_of(ids: pl.Series) -> Keys:
    """The numbers that their own source gave to trades of these ids."""
    numbers: Keys = ids.to_numpy() & (FOREIGN - 1)
    return numbers


def store(
    hot: HotStore,
    reports: pl.DataFrame,
    known: Known | None = None,
    *,
    hourly: bool = False,
    below: Below | None = None,
) -> Stored:
    """Write reports of trades; what is there already costs no transaction. Repeatable.

    `reports` has the columns of `TICKS` in the order of arrival and one source; a row flagged CANCELLED is a
    cancellation. A long-lived writer passes the `Known` that it loaded for its sessions, then only repeats are looked
    up. `hourly`: no transaction has rows of two UTC hours. With `below` identity holds below hot's floor too; such rows
    reach warm by the sync. Raises ValueError for a `ts` outside the days of its
    session, StoreError when hot cannot be asked or written.
    """
    frame = shaped(reports, TICKS)
    _check(frame)
    if known is None and frame.height > SMALL_ROWS:
        known = Known()
        known.load(hot, frame["session"].unique(), frame["symbol"].unique(), below)
    if known is None:
        outcome = settled(frame, look_up(hot, frame, below))
        _write(hot, outcome.rows, hourly=hourly)
        return _stored(outcome)
    keys = known.keys_of(frame)
    plain = _plain(frame, keys, known)
    told = frame.filter(~plain)  # what is new and said once needs no folding
    outcome = settled(told, look_up(hot, told.filter(pl.Series(known.touched(keys[~plain.to_numpy()]))), below))
    rows = frame.filter(plain)
    _write(hot, pl.concat([rows, outcome.rows]) if told.height else rows, hourly=hourly)
    known.add(keys)
    return _stored(outcome, rows.height)


def store_fresh(hot: HotStore, frame: pl.DataFrame, same: Mapping[str, Any]) -> None:
    """Write reports of trades that a `Known` calls fresh: the fast way of a live writer. Repeatable.

    `frame` has the columns of `TICKS` but those of `same`, which are the same in every row; one transaction, so its
    rows are of one UTC hour. The caller is the only writer of these sessions and tells its `Known` afterwards.
    """
    if hot.import_dir is None:
        hot.insert(TICKS, frame.with_columns(pl.lit(value).alias(name) for name, value in same.items()))
        return
    path = hot.import_dir / f"ticks-{uuid.uuid4().hex}.parquet"
    try:
        frame.write_parquet(path, compression="uncompressed", statistics=False)
        store_new(hot, path, same)
    finally:
        path.unlink(missing_ok=True)


def store_new(hot: HotStore, path: Path, same: Mapping[str, Any]) -> None:
    """Write a Parquet file of trades that are known to be new, each once: the fast way of a bulk import.

    `path` has the columns of `TICKS` but those of `same`, which are the same in every row, and lies below hot's import
    directory where it has one. The caller holds `writing` and has a `Known` that says so.
    """
    if hot.import_dir is not None:
        columns = ", ".join(_literal(same[name]) if name in same else name for name in TICKS.names)
        file_name = path.relative_to(hot.import_dir).as_posix()
        hot.execute(f"INSERT INTO ticks ({', '.join(TICKS.names)}) SELECT {columns} FROM read_parquet('{file_name}')")
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=100_000):
            hot.insert(TICKS, pl.DataFrame(batch).with_columns(pl.lit(value).alias(n) for n, value in same.items()))


def store_staged(hot: HotStore, path: Path, columns: Mapping[str, str], *, without: Iterable[int]) -> None:
    """Write the rows of a Parquet file but those whose `key` is in `without`, in several transactions. Repeatable.

    `path` lies below hot's import directory; `columns` are SQL expressions for the columns of `TICKS` that it does not
    have. The caller holds `writing` and knows that none of the rows is stored.
    """
    assert hot.import_dir is not None
    chosen = ", ".join(columns.get(name, name) for name in TICKS.names)
    left_out = ", ".join(map(str, without))
    where = f" WHERE key NOT IN ({left_out})" if left_out else ""
    source = f"read_parquet('{path.relative_to(hot.import_dir).as_posix()}')"
    hot.run(f"INSERT BATCH {BATCH_ROWS} INTO ticks ({', '.join(TICKS.names)}) SELECT {chosen} FROM {source}{where}")


def literals(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as QuestDB writes them."""
    return {name: _literal(value) for name, value in values.items()}


def look_up(hot: HotStore, wanted: pl.DataFrame, below: Below | None = None) -> pl.DataFrame:
    """The stored rows of the identities of `wanted`, whatever their time. Waits until all that was taken is visible."""
    if not wanted.height:
        return pl.DataFrame(schema=TICKS.polars)
    hot.wait_applied(TICKS)
    wanted = wanted.unique(IDENTITY)
    found = _near(hot, below, wanted) if wanted.height > SMALL_ROWS else []
    left = wanted.join(pl.concat(found), on=IDENTITY, how="anti") if found else wanted
    return pl.concat([*found, *_by_id(hot, below, left), pl.DataFrame(schema=TICKS.polars)])


@contextlib.contextmanager
def turn(hot: HotStore, sessions: Iterable[dt.date], wait_seconds: float = 0.0) -> Iterator[None]:
    """Be the only writer of these sessions on this machine: an import holds it, and a live writer for each batch.

    Who looks up and then writes must not be passed by another. Raises BusyError; a killed process lets go by itself.
    Without an import directory there is no place that writers share, and nothing is held.
    """
    with contextlib.ExitStack() as stack:
        if hot.import_dir is not None:
            for number in sorted({(session - EPOCH).days % TURNS for session in sessions}):
                lock = FileLock(hot.import_dir / f"session-{number}.lock", timeout=wait_seconds)
                try:
                    stack.enter_context(lock)
                except Timeout as error:
                    raise BusyError(
                        "another process writes one of these sessions; try again when it has ended"
                    ) from error
        yield


@contextlib.contextmanager
def writing(warm: WarmStore, sessions: Iterable[dt.date], wait_seconds: float = 600.0) -> Iterator[None]:
    """Be the only writer of these sessions, among all imports that use the same PostgreSQL.

    Waits for others; raises BusyError after `wait_seconds`. A killed process lets go by itself.
    """
    with warm.connect() as connection:
        connection.autocommit = True
        connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{int(wait_seconds * 1000)}ms",))
        for session in sorted(set(sessions)):
            try:
                connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, (session - EPOCH).days))
            except psycopg.errors.LockNotAvailable as error:
                raise BusyError(
                    f"session {session} is being written by another process for more than {wait_seconds:.0f} s; "
                    "try again when it has ended"
                ) from error
        yield


def _plain(frame: pl.DataFrame, keys: Keys, known: Known) -> pl.Series:
    """Which reports are of a trade that nobody spoke of, said once here, and no cancellation."""
    plain = known.fresh(keys)
    if not plain.all():
        numbers, counts = np.unique(keys, return_counts=True)
        repeated = numbers[counts > 1]
        if len(repeated):
            plain &= ~np.isin(keys, repeated)
    return pl.Series(plain) & ((frame["flags"] & int(Flag.CANCELLED)) == 0)


def _write(hot: HotStore, rows: pl.DataFrame, *, hourly: bool) -> None:
    if hourly and rows.height:
        for _, part in rows.group_by(pl.col("ts").dt.truncate("1h"), maintain_order=True):
            hot.insert(TICKS, part)
    elif rows.height:
        hot.insert(TICKS, rows)


def _stored(outcome: Outcome, plain: int = 0) -> Stored:
    return Stored(
        outcome.new + plain,
        outcome.repeated,
        outcome.cancelled,
        outcome.edited,
        outcome.conflicts.height,
        outcome.conflicts,
    )


def _check(frame: pl.DataFrame) -> None:
    day = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    outside = frame.filter((pl.col("ts") < day + EARLIEST) | (pl.col("ts") >= day + LATEST))
    if outside.height:
        row = outside.row(0, named=True)
        raise ValueError(f"{row['symbol']} {row['trade_id']}: {row['ts']} cannot be a time of session {row['session']}")
    if frame["source"].n_unique() > 1:
        raise ValueError(f"reports of one source expected, found {frame['source'].unique().to_list()}")


def _near(hot: HotStore, below: Below | None, wanted: pl.DataFrame) -> list[pl.DataFrame]:
    """Those stored at about the time the reports say: nearly all, in one scan of few rows."""
    first, last = wanted["ts"].min(), wanted["ts"].max()
    assert isinstance(first, dt.datetime)
    assert isinstance(last, dt.datetime)
    times = f"ts BETWEEN {instant_literal(first)} AND {instant_literal(last)}"
    where = held.chosen(wanted["session"].unique(), wanted["symbol"].unique().to_list())
    return _matching(hot, below, f"{times} AND {where}", wanted)


def _by_id(hot: HotStore, below: Below | None, wanted: pl.DataFrame) -> list[pl.DataFrame]:
    found = []
    ranges = wanted.group_by("symbol", "session").agg(low=pl.col("trade_id").min(), high=pl.col("trade_id").max())
    for part in ranges.iter_slices(RANGES_PER_QUERY):
        asked = " OR ".join(
            f"(symbol = {held.text(symbol)} AND session = '{session}' AND trade_id BETWEEN {low} AND {high})"
            for symbol, session, low, high in part.iter_rows()
        )
        found += _matching(hot, below, f"({asked})", wanted.join(part, on=("symbol", "session"), how="semi"))
    return found


def _matching(hot: HotStore, below: Below | None, where: str, wanted: pl.DataFrame) -> list[pl.DataFrame]:
    batches = held.rows(hot, below, wanted["session"].unique().to_list(), where)
    return [batch.join(wanted, on=IDENTITY, how="semi") for batch in batches]


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dt.datetime):
        return f"{instant_literal(value)}::timestamp"
    if isinstance(value, dt.date):
        return f"'{value.isoformat()}'::date"
    return held.text(value) if isinstance(value, str) else str(value)
