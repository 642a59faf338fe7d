"""Answers in JSON, encoded once and sent as they are: what most requests end with, without litestar's work for each."""

from collections.abc import Iterable
from typing import Any, TypeVar

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.serialization import encode_json
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

T = TypeVar("T")
JSON = "application/json"
TYPE = (b"content-type", JSON.encode())
BODILESS = frozenset({204, 304})


class Sent(ASGIResponse):
    """Status, headers and body, ready to go."""

    def __init__(self, status: int, headers: Iterable[tuple[str, Any]], body: bytes) -> None:
        self.status = status
        self.body = body
        self.pairs = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers]
        self.pairs += (TYPE, (b"content-length", b"%d" % len(body)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it."""
        begin: HTTPResponseStartEvent = {"type": "http.response.start", "status": self.status, "headers": self.pairs}
        rest: HTTPResponseBodyEvent = {"type": "http.response.body", "body": self.body, "more_body": False}
        await send(begin)
        await send(rest)


class Ready(Response[T]):
    """A Response whose way is short when it is JSON with headers alone, and litestar's own otherwise."""

    def to_asgi_response(self, app: Any, request: Any, **given: Any) -> ASGIResponse:
        """What is sent. `given` is what the handler's declaration says."""
        status = self.status_code or given.get("status_code") or 200
        media_type = self.media_type or given.get("media_type") or JSON
        special = (
            self.cookies
            or self.background
            or self.response_type_encoders
            or any(given.get(name) for name in ("cookies", "background", "encoded_headers", "type_encoders"))
        )
        if special or media_type != JSON or status < 200 or status in BODILESS or isinstance(self.content, bytes | str):
            return super().to_asgi_response(app, request, **given)
        headers = {**(given.get("headers") or {}), **self.headers}
        if any(name.lower() in ("content-type", "content-length") for name in headers):
            return super().to_asgi_response(app, request, **given)
        return Sent(status, headers.items(), encode_json(self.content))
