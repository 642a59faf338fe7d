"""Requests of a strategy to the order process: repeated under one key until one is answered or it comes too late."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import structlog
from msgspec import Struct

ANSWER_SECONDS = 12.0
AGAIN_SECONDS = 0.1
TOO_MANY = 429  # nothing left, and it may be tried again
TAKEN = (200, 201, 202)
PAGE = 500
MAYBE_LEFT = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)

log = structlog.get_logger("strategy")


class Answer(Struct, frozen=True, kw_only=True):
    """What came of a request. `why` it was not followed; `maybe_left`: nobody knows whether an attempt was."""

    taken: Mapping[str, Any] | None = None
    why: str = ""
    maybe_left: bool = False

    @property
    def told(self) -> str:
        """Why, with what it means."""
        return f"nobody knows whether it left, and it is not sent again: {self.why}" if self.maybe_left else self.why


class Asking:
    """One client. `ending` cuts the pauses between attempts short."""

    def __init__(self, url: str, headers: Mapping[str, str], ending: threading.Event) -> None:
        self._ending = ending
        self._client = httpx.Client(base_url=url, headers=dict(headers), timeout=ANSWER_SECONDS, trust_env=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def answered(
        self, method: str, path: str, body: Mapping[str, Any], *, key: str, why_not: Callable[[], str | None]
    ) -> Answer:
        """The answer to a request that leaves at most once. `why_not` it may leave is asked before each attempt."""
        maybe_left = False
        while True:
            if (why := why_not()) is not None:
                return Answer(why=why, maybe_left=maybe_left)
            try:
                answer = self._client.request(method, path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                maybe_left = maybe_left or isinstance(error, MAYBE_LEFT)
                log.warning("order_not_answered", key=key, reason=f"{type(error).__name__}: {error}")
            else:
                if answer.status_code in TAKEN:
                    return Answer(taken=answer.json())
                if answer.status_code < 500 and answer.status_code != TOO_MANY:
                    # a check's word is that of the first attempt as well; another refusal says nothing about it
                    return Answer(why=_reason(answer), maybe_left=maybe_left and not _checked(answer))
                maybe_left = maybe_left or answer.status_code != TOO_MANY
                log.warning("order_not_taken", key=key, status=answer.status_code)
            self._ending.wait(AGAIN_SECONDS)

    def cancelled(self, order: str, reason: str) -> bool:
        """Whether the cancellation was taken, or there is nothing to cancel."""
        try:
            answer = self._client.delete(f"/api/orders/{order}", params={"reason": reason})
        except httpx.TransportError as error:
            log.warning("cancel_not_answered", order=order, reason=f"{type(error).__name__}: {error}")
            return False
        return answer.status_code in (200, 202, 400, 404)

    def order(self, name: str) -> Mapping[str, Any] | None:
        """An order as it stands; None when nobody says."""
        try:
            answer = self._client.get(f"/api/orders/{name}")
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("order_not_looked_up", order=name, reason=f"{type(error).__name__}: {error}")
            return None
        found: Mapping[str, Any] = answer.json()["data"]
        return found

    def working(self, strategy: str) -> Iterator[Mapping[str, Any]]:
        """The orders that a strategy sent and that may still trade. Raises httpx.HTTPError."""
        wanted: dict[str, str | int] = {"strategy": strategy, "working": "true", "limit": PAGE}
        found: list[Mapping[str, Any]] = []
        while True:
            answer = self._client.get("/api/orders", params={**wanted, "offset": len(found)})
            answer.raise_for_status()
            told = answer.json()["data"]
            found += told["orders"]
            if not told["orders"] or len(found) >= told["total"]:
                return (order for order in found if order["source"] == "strategy")


def _checked(answer: httpx.Response) -> bool:
    """Whether a check of the order loop refused."""
    try:
        return bool(answer.json()["details"]["check"])
    except (ValueError, KeyError, TypeError):
        return False


def _reason(answer: httpx.Response) -> str:
    """What the answer says, in its own words."""
    try:
        body = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    return str(body.get("error") or body.get("message") or f"HTTP {answer.status_code}")
