"""B3's public site: trade-by-trade files by session, one for all instruments or one for each.

Addresses are `BASE/YYYY-MM-DD` (all instruments) and `BASE/SYMBOL/YYYY-MM-DD`, BASE being the setting
TRADINGSYSTEM_B3_URL. About the last 20 sessions are there.
"""

import datetime as dt
import uuid
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote

import httpx
import stamina

from sql.b3_ledger import ALL
from sql.errors import StoreError
from sql.exchange import SAO_PAULO

PUBLISHED = dt.time(20, 0)  # São Paulo; trading ends at 18:25, files lag by 15 minutes
ATTEMPTS = 5
MAX_BYTES = 8 << 30

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class FetchError(StoreError):
    """B3's site did not give the file."""


class NoFileError(FetchError):
    """There is no file for that day: no session, not published yet, or not kept any longer."""


class _TryAgainError(Exception):
    """The site is busy or broke off."""


def last_session(now: dt.datetime) -> dt.date:
    """The newest weekday whose session has ended and whose files should be there; holidays are not known here."""
    local = now.astimezone(SAO_PAULO)
    day = local.date() if local.time() >= PUBLISHED else local.date() - dt.timedelta(days=1)
    while day.weekday() >= 5:
        day -= dt.timedelta(days=1)
    return day


def url_of(base_url: str, symbol: str, day: dt.date) -> str:
    """Where the file of a symbol (or ALL) and session is."""
    middle = "" if symbol == ALL else f"/{quote(symbol, safe='')}"
    return f"{base_url.rstrip('/')}{middle}/{day.isoformat()}"


def fetch(
    symbol: str,
    day: dt.date,
    folder: Path,
    *,
    base_url: str,
    timeout_seconds: float = 60.0,
    progress: Progress | None = None,
) -> Path:
    """Download the file of `symbol` (or ALL) into `folder`; the path. It is there whole or not at all.

    Busy answers and broken connections are tried again, with growing pauses. Raises NoFileError when there is no file
    for that day, FetchError when the site does not answer or gives something else than a zip.
    """
    url = url_of(base_url, symbol, day)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{uuid.uuid4().hex}.part"
    try:
        for attempt in stamina.retry_context(on=_TryAgainError, attempts=ATTEMPTS, wait_initial=0.5, wait_max=10.0):
            with attempt:
                _download(url, draft, timeout_seconds, progress)
        _check(url, draft, day)
        final = folder / f"{day.isoformat()}_{'ALL' if symbol == ALL else _plain(symbol)}.zip"
        draft.replace(final)
    except _TryAgainError as error:
        raise FetchError(f"{url}: {error}, after {ATTEMPTS} attempts; try again later") from error
    else:
        return final
    finally:
        draft.unlink(missing_ok=True)


def _download(url: str, draft: Path, timeout_seconds: float, progress: Progress | None) -> None:
    try:
        with (
            httpx.stream("GET", url, timeout=timeout_seconds, follow_redirects=True) as answer,
            draft.open("wb") as file,
        ):
            if answer.status_code in (204, 404, 410):
                raise NoFileError(f"{url}: no file for that day (a holiday, not published yet, or no longer kept)")
            if answer.status_code >= 500 or answer.status_code in (408, 425, 429):
                raise _TryAgainError(f"the site answered {answer.status_code}")
            if answer.status_code != 200:
                raise FetchError(f"{url}: expected a zip, the site answered {answer.status_code}")
            size = int(answer.headers.get("content-length", 0))
            if progress is None:
                _copy(url, answer, file.write)
                return
            with progress(f"fetching {url.rsplit('/', 2)[-2]}", size) as advance:
                _copy(url, answer, lambda block: advance(file.write(block)))
    except httpx.TransportError as error:
        raise _TryAgainError(f"the site does not answer ({error!r})") from error


def _copy(url: str, answer: httpx.Response, write: Callable[[bytes], object]) -> None:
    size = 0
    for block in answer.iter_bytes(1 << 18):
        size += len(block)
        if size > MAX_BYTES:
            raise FetchError(f"{url}: more than {MAX_BYTES:,} bytes: no trading day")
        write(block)


def _check(url: str, draft: Path, day: dt.date) -> None:
    if not draft.stat().st_size:
        raise NoFileError(f"{url}: no file for {day} (a holiday, not published yet, or no longer kept)")
    if zipfile.is_zipfile(draft):
        return
    with draft.open("rb") as file:
        start = file.read(60)
    what = "a web page" if start.lstrip()[:1] == b"<" else "something else"
    raise FetchError(f"{url}: expected a zip, found {what}: {start.decode('utf-8', errors='replace')!r}")


def _plain(symbol: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in symbol)
