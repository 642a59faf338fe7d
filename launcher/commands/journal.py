"""`tradingsystem journal`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from config.settings import Settings
from launcher.cli import Refusal, data_option, echo_json, json_option, settings_for
from sql import stores
from sql.errors import StoreError

if TYPE_CHECKING:
    from sql.journal_heads import Kept
    from sql.order_rows import Held


@click.group()
def journal() -> None:
    """The journal of orders: every decision and every word of the broker, chained."""


@journal.command()
@click.option("--offline", is_flag=True, help="Ask neither warm for the head that it keeps nor hot for the rows.")
@data_option
@json_option
def verify(*, offline: bool, data: Path | None, as_json: bool) -> None:
    """Prove that no byte was edited, deleted, inserted or moved and no tail cut; held against warm and hot as well,
    where they answer. Exit code 1 when not."""
    from realtime.orders.chain import JournalError, journal_id
    from realtime.orders.proof import Seen
    from realtime.orders.proof import verify as proof

    settings = settings_for(data)
    key, folder = settings.orders.journal_key, settings.orders_dir
    if key is None:
        raise Refusal("TRADINGSYSTEM_JOURNAL_KEY is not set: without the key that wrote it nothing can be proven", 2)
    if not any(folder.glob("journal*.jsonl")):
        raise Refusal(f"there is no journal in {folder}", 2)
    name = journal_id(key.encode())
    kept = None if offline else _warm_head(settings, name)  # before the files are read: they only grow
    held = None if offline else _hot_rows(settings, name)
    seen = [Seen(kept.number, kept.mac, "warm")] if kept else []
    try:
        found = proof(folder / "journal.jsonl", folder / "head.json", key.encode(), seen=seen)
    except JournalError as error:
        raise Refusal(str(error), 1) from error
    wrong = found.wrong or _wrong_rows(held, found.records)
    if as_json:
        echo_json({**msgspec.to_builtins(found), "holds": wrong is None, "wrong": wrong, **_told(name, kept, held)})
    elif wrong is None:
        click.echo(_words(found.records, found.since, found.torn, kept, held))
    if wrong is not None:
        raise Refusal(wrong, 1)


def _warm_head(settings: Settings, name: str) -> "Kept | None":
    """The head that warm keeps; None where it does not answer, or was told nothing."""
    from sql import journal_heads

    try:
        return journal_heads.known(stores.warm(settings), name)
    except StoreError:
        return None


def _hot_rows(settings: Settings, name: str) -> "Held | None":
    from sql import order_rows

    hot = stores.hot(settings)
    try:
        return order_rows.held(hot, name) if hot.ready() else None
    except StoreError:
        return None
    finally:
        hot.close()


def _wrong_rows(held: "Held | None", records: int) -> str | None:
    """What is wrong with the rows in hot: each record is there once, without a hole, and none that there is not."""
    if held is None or not held.rows:
        return None
    if held.rows != held.numbers or held.rows != held.last - held.first + 1:
        return f"hot.order_events: expected each record from {held.first} to {held.last} once, found {held.rows} rows"
    if held.last > records:
        return f"hot.order_events has record {held.last}, and the journal ends with {records}: its tail was cut"
    return None


def _told(name: str, kept: "Kept | None", held: "Held | None") -> dict[str, Any]:
    return {"journal": name, "warm": kept and msgspec.to_builtins(kept), "hot": held and msgspec.to_builtins(held)}


def _words(records: int, since: int, torn: int, kept: "Kept | None", held: "Held | None") -> str:
    tail = f"; {torn} bytes of a record that was being written" if torn else ""
    gone = f" (those up to {since} were removed in their time)" if since else ""
    warm = f"; warm has seen {kept.number}" if kept else "; warm was not asked"
    hot = f"; hot has {held.rows} of them" if held else "; hot was not asked"
    return f"holds: {records} records{gone}{tail}{warm}{hot}"
