"""What a caller of `/signals` asks for: lenient where the original was, clear where a value has no meaning."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

from api.asked import FIRST, LAST, iso_instant
from api.kernel.errors import invalid

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
DIGITS = re.compile(r"-?[0-9]{1,15}")
LAST_MILLISECOND = int(LAST.timestamp() * 1000)
MOST = 1_000


def instant(field: str, text: str | None) -> dt.datetime | None:
    """Digits alone are milliseconds since 1970; everything else is an ISO 8601 date or instant, UTC without a zone."""
    if not text:
        return None
    at = _of_milliseconds(text) if DIGITS.fullmatch(text) else iso_instant(text)
    if at is None:
        raise invalid(field, f"expected milliseconds since 1970, or an ISO 8601 date or instant; found {text[:40]!r}")
    return at


def _of_milliseconds(digits: str) -> dt.datetime | None:
    milliseconds = int(digits)
    return FIRST + dt.timedelta(milliseconds=milliseconds) if 0 <= milliseconds <= LAST_MILLISECOND else None


def ingested_at(text: object) -> tuple[dt.datetime, bool]:
    """The instant that names a signal, and whether it was told in whole milliseconds only."""
    if text is None or text == "":
        raise invalid("ingestedAt", "is needed")
    at = instant("ingestedAt", text if isinstance(text, str) else "?")
    assert at is not None
    fraction = re.search(r"[.,](\d+)", str(text))
    return at, fraction is None or len(fraction[1]) <= 3


def clamped(limit: int) -> int:
    """As many rows as may be asked for at once."""
    return max(1, min(limit, MOST))


def local(at: dt.datetime) -> str:
    """An instant on the clock of São Paulo, with its offset and without fractions."""
    return at.astimezone(SAO_PAULO).isoformat(timespec="seconds")
