"""B3's files onto the tape: ops, because a file belongs to no day of ours until it was read.

The hot table is shown with what came in, day by day.
"""

from typing import TYPE_CHECKING

import dagster as dg

from assets.contract import RETRIES, key_of
from assets.sessions import day_of, has_partition
from assets.stores import Hot, Warm
from sql.exchange import is_session
from sql.tables import TICKS

if TYPE_CHECKING:
    from sql.b3_nightly import Feed
    from sql.inbox import Inbox, Taken

    DropFolder = dg.ResourceParam[Inbox]
    NightlyFeed = dg.ResourceParam[Feed]
else:
    DropFolder = NightlyFeed = dg.ResourceParam[object]

POOL = "b3_files"


@dg.op(pool=POOL, retry_policy=RETRIES, description="Imports every file of the drop folder; killed, it is run again.")
def import_inbox(context: dg.OpExecutionContext, inbox: DropFolder, hot: Hot, warm: Warm) -> None:
    def tell(taken: "Taken") -> None:
        context.log.info(f"{taken.name}: {taken.fate}, {taken.new} new rows; now {taken.path}")
        for event in _events(taken):
            context.log_event(event)

    taken = inbox.take_all(hot, warm, tell)
    context.add_output_metadata(
        {
            "files": len(taken),
            "new_rows": sum(each.new for each in taken),
            "refused_lines": sum(each.refused_lines for each in taken),
            "what": dg.MetadataValue.md("\n".join(f"- `{t.name}`: {t.fate} {t.reason}" for t in taken) or "nothing"),
        }
    )
    refused = [each for each in taken if each.fate == "refused"]
    if refused:  # the others are in; somebody has to know, and a repeat would change nothing
        words = "; ".join(f"{each.name}: {each.reason}" for each in refused)
        raise dg.Failure(f"{len(refused)} files were refused: {words}", allow_retries=False)


@dg.op(pool=POOL, retry_policy=RETRIES, description="Fetches the missing files of a session into the drop folder.")
def fetch_b3(context: dg.OpExecutionContext, feed: NightlyFeed, warm: Warm) -> None:
    session = day_of(context.partition_key)
    files = feed.fetch(session, warm, context.log.warning) if is_session(session) else []
    words = ", ".join(file.name for file in files) or ("nothing is missing" if is_session(session) else "no session")
    context.add_output_metadata({"session": str(session), "files": len(files), "what": words})


def _events(taken: "Taken") -> list[dg.AssetMaterialization]:
    if not taken.new:
        return []
    facts: dict[str, str | int] = {"file": taken.name, "sha256": taken.sha256, "new_rows": taken.new}
    return [
        dg.AssetMaterialization(key_of(TICKS, "hot"), partition=str(session), metadata=facts)
        for session in taken.sessions
        if has_partition(session)
    ]
