"""Which B3 files are fetched by themselves: those of the configured instruments that are not on the tape yet, and those
of captured sessions that the ledger does not call proven.

Files go into the drop folder (`sql.inbox`), which imports them: a day that is fetched twice changes nothing.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from sql.warm import WarmStore

WHOLE_DAY = "ALL"  # how people name the file of all instruments


class Feed(Struct, frozen=True, kw_only=True):
    """What to fetch, from where, and into which folder. Making one opens no connection.

    `fill`: the files of sessions that are not proven, too; None: where `stamp` says that the data are live, for of an
    invented session there is no file.
    """

    symbols: tuple[str, ...]
    base_url: str
    folder: Path
    timeout_seconds: float = 60.0
    fill: bool | None = False
    stamp: Path | None = None

    @property
    def fills(self) -> bool:
        """Whether sessions that are not proven are looked after."""
        if self.fill is not None or self.stamp is None or not self.stamp.is_file():
            return bool(self.fill)
        return bool(json.loads(self.stamp.read_bytes()).get("kind") == "live")

    def missing(self, warm: "WarmStore", sessions: Iterable[dt.date]) -> list[dt.date]:
        """The sessions of which a configured symbol's final file is not on the tape, in the order given."""
        return [session for session in sessions if self._missing_of(warm, session)]

    def unproven(self, warm: "WarmStore", sessions: Iterable[dt.date]) -> list[dt.date]:
        """The captured sessions that are not proven and whose file may say why, in the order given."""
        return [session for session in sessions if self._unproven_of(warm, session)]

    def fetch(self, session: dt.date, warm: "WarmStore", tell: Callable[[str], None] = lambda _: None) -> list[Path]:
        """Bring what is missing of a session into the drop folder, whole files only; their paths.

        Raises NoFileError where B3 has none (yet) of a configured symbol, FetchError where its site does not answer;
        the files that came before stay. `tell` hears of an unproven symbol of which there is no file.
        """
        from sql.b3_fetch import NoFileError
        from sql.b3_ledger import ALL

        wanted = self._missing_of(warm, session)
        found = [self._fetched(symbol, session) for symbol in wanted]
        for symbol in [] if ALL in wanted else self._unproven_of(warm, session):
            if symbol not in wanted:
                try:
                    found.append(self._fetched(symbol, session))
                except NoFileError as error:
                    tell(str(error))
        return found

    def _fetched(self, symbol: str, session: dt.date) -> Path:
        from sql.b3_fetch import fetch

        return fetch(symbol, session, self.folder, base_url=self.base_url, timeout_seconds=self.timeout_seconds)

    def _missing_of(self, warm: "WarmStore", session: dt.date) -> list[str]:
        from sql import b3_ledger

        scopes = [b3_ledger.ALL if symbol == WHOLE_DAY else symbol for symbol in self.symbols]
        return [scope for scope in scopes if not b3_ledger.has_final(warm, session, scope)]

    def _unproven_of(self, warm: "WarmStore", session: dt.date) -> list[str]:
        """Instruments whose final file was not read; a continuous series has no file."""
        from sql import b3_ledger
        from sql.exchange import SERIES

        found = b3_ledger.unproven(warm, session) if self.fills else []
        return [symbol for symbol in found if not SERIES.fullmatch(symbol)]
