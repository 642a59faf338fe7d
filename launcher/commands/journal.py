"""`tradingsystem journal`."""

from pathlib import Path

import click
import msgspec

from launcher.cli import Refusal, data_option, echo_json, json_option, own_settings


@click.group()
def journal() -> None:
    """The journal of orders: every decision and every word of the broker, chained."""


@journal.command()
@data_option
@json_option
def verify(*, data: Path | None, as_json: bool) -> None:
    """Prove that no byte was edited, deleted, inserted or moved and no tail cut, offline. Exit code 1 when not."""
    from realtime.orders.journal import JournalError
    from realtime.orders.journal import verify as proof

    settings = own_settings(data)
    key, folder = settings.orders.journal_key, settings.orders_dir
    if key is None:
        raise Refusal("TRADINGSYSTEM_JOURNAL_KEY is not set: without the key that wrote it nothing can be proven", 2)
    if not (folder / "journal.jsonl").is_file():
        raise Refusal(f"there is no journal in {folder}", 2)
    try:
        found = proof(folder / "journal.jsonl", folder / "head.json", key.encode())
    except JournalError as error:
        raise Refusal(str(error), 1) from error
    if as_json:
        echo_json(msgspec.to_builtins(found))
    elif found.holds:
        torn = f"; {found.torn} bytes of a record that was being written" if found.torn else ""
        click.echo(f"holds: {found.records} records{torn}")
    if not found.holds:
        raise Refusal(found.wrong or "the journal does not hold", 1)
