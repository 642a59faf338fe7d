"""How the keeper asks for past trades: over HTTP, of the realtime process, which has the one link there is."""

import datetime as dt
from typing import TypeVar

import httpx
import msgspec
from msgspec import Struct

from sql.gaps import Window

HISTORY, STANDING = "/api/v1/capture/history", "/api/v1/capture"
TIMEOUT_SECONDS = 10.0

Kind = TypeVar("Kind")


class Asked(Struct, frozen=True, kw_only=True):
    """A request in flight."""

    run: int
    number: int


class Refused(Struct, frozen=True, kw_only=True):
    """The broker would not take the request, so there is no use in asking soon again."""

    why: str


class Later(Struct, frozen=True, kw_only=True):
    """Not now: another request is in flight, the link is not ready, or nobody is there."""

    why: str


class Ended(Struct, frozen=True, kw_only=True):
    """A request of the past, as the realtime process tells it."""

    run: int
    number: int
    state: str
    trades: int
    untranslated: int = 0
    why: str | None = None


class Requests(Struct, frozen=True, kw_only=True):
    """What is in flight and what ended."""

    run: int
    asking: Asked | None
    ended: list[Ended]


class Standing(Struct, frozen=True, kw_only=True):
    """How capture stands."""

    link: str
    symbols: list[str] = []


class Broker:
    """The realtime process at `url`. Lazy; every call may be repeated."""

    def __init__(self, url: str, key: str | None) -> None:
        self._client = httpx.Client(
            base_url=url, headers={"X-API-Key": key} if key else {}, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def ask(self, window: Window) -> Asked | Refused | Later:
        """Ask for the trades of a window."""
        body = {"symbol": window.symbol, "since": _text(window.since), "until": _text(window.until)}
        try:
            answer = self._client.post(HISTORY, json=body)
        except httpx.TransportError as error:
            return Later(why=f"nobody answers on {self._client.base_url}: {error!r}")
        if answer.status_code == 202:
            return msgspec.json.decode(answer.content, type=Asked)
        why = f"{answer.status_code} {_why(answer)}"
        return Refused(why=why) if answer.status_code == 400 else Later(why=why)

    def requests(self) -> Requests | None:
        """What is in flight and what ended; None when nobody tells."""
        return self._get(HISTORY, Requests)

    def standing(self) -> Standing | None:
        """How capture stands; None when nobody tells."""
        return self._get(STANDING, Standing)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _get(self, path: str, kind: type[Kind]) -> Kind | None:
        try:
            answer = self._client.get(path)
            return msgspec.json.decode(answer.content, type=kind) if answer.status_code == 200 else None
        except (httpx.TransportError, msgspec.MsgspecError):
            return None


def _text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _why(answer: httpx.Response) -> str:
    try:
        body = msgspec.json.decode(answer.content)
    except msgspec.MsgspecError:
        return answer.text[:200]
    if not isinstance(body, dict):
        return answer.text[:200]
    return str(body.get("detail") or body.get("error") or body.get("message") or answer.text[:200])
