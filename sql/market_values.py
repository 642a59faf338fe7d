"""How collectors write figures, contract months and times. Dates and clocks without a zone are those of São Paulo."""

import datetime as dt
import math
import re
from typing import Any

from sql.exchange import MONTHS, SAO_PAULO

EMPTY = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none"})
MONTH_NAMES = {
    name: MONTHS[number]
    for names in ("jan fev mar abr mai jun jul ago set out nov dez", "jan feb mar apr may jun jul aug sep oct nov dec")
    for number, name in enumerate(names.split())
}
BRAZILIAN = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}|\d+,\d+)", re.ASCII)
PLAIN = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
DATE_FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%Y%m%d")
CLOCK = re.compile(r"^(\d{1,2})[:h](\d{2})(?::(\d{2}))?$")


def number_of(text: Any) -> float | None:
    """A figure in Brazilian or plain notation; None where there is none. Raises ValueError."""
    if text is None or isinstance(text, bool):
        return None
    if isinstance(text, int | float):
        value = float(text)
    else:
        plain = str(text).strip().removesuffix("%").removeprefix("R$").strip()
        if plain.lower() in EMPTY:
            return None
        if BRAZILIAN.fullmatch(plain):
            plain = plain.replace(".", "").replace(",", ".")
        if not PLAIN.fullmatch(plain):
            raise ValueError(f"expected a number, found {text!r}")
        value = float(plain)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {text!r}")
    return value


def contract_of(text: str) -> str:
    """A contract's month as letter and year: `nov-25`, `NOV/2025`, `DOLX25`, `x25` are all X25. Raises ValueError."""
    plain = text.strip().lower()
    if found := re.fullmatch(r"(?:[a-z0-9]{3})?([fghjkmnquvxz])(\d{2})", plain):
        return found[1].upper() + found[2]
    if (found := re.fullmatch(r"([a-z]{3})[a-z]*[-/ ]?(?:20)?(\d{2})", plain)) and found[1] in MONTH_NAMES:
        return MONTH_NAMES[found[1]] + found[2]
    if (found := re.fullmatch(r"(\d{1,2})[-/](?:20)?(\d{2})", plain)) and 1 <= int(found[1]) <= 12:
        return MONTHS[int(found[1]) - 1] + found[2]
    raise ValueError(f"expected a contract month as X25 or nov-25, found {text!r}")


def instant_of(date: str, clock: str | None = None) -> dt.datetime:
    """A date (and clock) of São Paulo, or an ISO instant with its own zone, as UTC. Raises ValueError."""
    text = date.strip()
    for form in DATE_FORMS:
        try:
            day = dt.datetime.strptime(text, form).date()  # noqa: DTZ007 a date has no zone
        except ValueError:
            continue
        return dt.datetime.combine(day, _clock_of(clock), SAO_PAULO).astimezone(dt.UTC)
    try:
        found = dt.datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError as error:
        raise ValueError(f"expected a date as 2025-11-19 or 19/11/2025, found {date!r}") from error
    return (found if found.tzinfo else found.replace(tzinfo=SAO_PAULO)).astimezone(dt.UTC)


def _clock_of(text: str | None) -> dt.time:
    if text is None or not text.strip():
        return dt.time(0)
    if not (found := CLOCK.fullmatch(text.strip())):
        raise ValueError(f"expected a clock time as 18:05, found {text!r}")
    return dt.time(int(found[1]), int(found[2]), int(found[3] or 0))
