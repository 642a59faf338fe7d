"""The instruments whose B3 files are fetched by themselves, and which sessions of them are not on the tape yet.

Files go into the drop folder (`sql.inbox`), which imports them: a day that is fetched twice changes nothing.
"""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from sql.warm import WarmStore

WHOLE_DAY = "ALL"  # how people name the file of all instruments


class Feed(Struct, frozen=True, kw_only=True):
    """What to fetch, from where, and into which folder. No symbols: nothing. Making one opens no connection."""

    symbols: tuple[str, ...]
    base_url: str
    folder: Path
    timeout_seconds: float = 60.0

    def missing(self, warm: "WarmStore", sessions: Iterable[dt.date]) -> list[dt.date]:
        """The sessions of which a symbol's final file is not on the tape, in the order given."""
        return [session for session in sessions if self._missing_of(warm, session)]

    def fetch(self, session: dt.date, warm: "WarmStore") -> list[Path]:
        """Bring what is missing of a session into the drop folder, whole files only; their paths.

        Raises NoFileError where B3 has none (yet), FetchError where its site does not answer; the files that came
        before stay.
        """
        from sql.b3_fetch import fetch

        return [
            fetch(symbol, session, self.folder, base_url=self.base_url, timeout_seconds=self.timeout_seconds)
            for symbol in self._missing_of(warm, session)
        ]

    def _missing_of(self, warm: "WarmStore", session: dt.date) -> list[str]:
        from sql import b3_ledger

        scopes = [b3_ledger.ALL if symbol == WHOLE_DAY else symbol for symbol in self.symbols]
        return [scope for scope in scopes if not b3_ledger.has_final(warm, session, scope)]
