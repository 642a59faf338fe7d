"""Writes that may be repeated: the same `Idempotency-Key` with the same request gets the same answer, once the effect.

Another request under the key is 422, one that is still at work 409. Answers of 5xx are not kept: nothing came of them,
so that the same key may be tried again, unless a connection broke with the write on its way: then the key stays taken.
Answers that hold a secret (`no-store`) are not kept either.
"""

import asyncio
import hashlib
import re
import uuid
from collections.abc import Collection
from typing import Any

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.kernel.access import LOOPBACK
from api.kernel.errors import UNCERTAIN, invalid
from api.kernel.headers import first
from api.kernel.limits import SERVICE
from config.settings import Settings
from sql.answers import DATABASE, ROLE, Answer, Answers, Claim, Held
from sql.errors import StoreError
from sql.pool import Pool

HEADER = b"idempotency-key"
REPLAYED = "Idempotency-Replayed"
SHAPE = re.compile(r"[\x21-\x7e]{1,255}")
BODY_BYTES = 2 << 20  # a request with a key is read whole, to compare it
KEPT_HEADERS = ("content-type", "etag", "location", "last-modified")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

logger = structlog.get_logger("api.idempotency")


class Repeats:
    """Answers repeated writes of `services`; all others pass."""

    def __init__(self, answers: Answers, services: Collection[str]) -> None:
        self._answers = answers
        self._services = services

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The layer around `app`: the answer that is kept, or what comes and is kept then."""

        async def once(scope: Scope, receive: Receive, send: Send) -> None:
            key = first(scope, HEADER) if scope.get("method") in WRITES else None
            service = scope["route_handler"].opt.get(SERVICE)
            if key is None or service not in self._services:
                await app(scope, receive, send)
                return
            if not SHAPE.fullmatch(key):
                raise invalid("Idempotency-Key", "expected 1 to 255 characters of ASCII without spaces")
            body = await _read(receive)
            claim = Claim(str(service), _caller(scope), key, fingerprint_of(scope, body), uuid.uuid4())
            held = await self._answers.claim(claim)
            if held is None:
                await self._answered(claim, scope, _again(body, receive), send, app)
            else:
                await _send(send, _repeated(held, claim))

        return once

    async def _answered(self, claim: Claim, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        seen, cut = _Seen(send), False
        try:
            await next_app(scope, receive, seen.send)
        except asyncio.CancelledError:
            cut = True  # out of time: nobody knows how far it came
            raise
        finally:
            try:
                if seen.worth_keeping:
                    await self._answers.keep(claim, seen.answer())
                elif not (cut or scope.get("state", {}).get(UNCERTAIN)):
                    await self._answers.release(claim)
            except StoreError as error:  # the caller has the answer; a repetition is told that it is not known
                logger.warning("answer_not_kept", service=claim.service, reason=str(error))


class _Seen:
    """An answer on its way out."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = b""
        self._secret = self._whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableScopeHeaders.from_message(message)
            self._status = message["status"]
            self._headers = {name: headers[name] for name in KEPT_HEADERS if name in headers}
            self._secret = "no-store" in headers.get("cache-control", "")
        elif message["type"] == "http.response.body":
            if len(self._body) <= BODY_BYTES:
                self._body += message.get("body", b"")
            self._whole = not message.get("more_body", False)
        await self._send(message)

    @property
    def worth_keeping(self) -> bool:
        small = len(self._body) <= BODY_BYTES
        return self._whole and small and not self._secret and 200 <= self._status < 500

    def answer(self) -> Answer:
        return Answer(self._status, self._headers, self._body)


def fingerprint_of(scope: Scope, body: bytes) -> bytes:
    """What makes two requests the same one."""
    digest = hashlib.blake2b(digest_size=32)
    for part in (str(scope.get("method")).encode(), scope["path"].encode(), scope["query_string"], body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def answers_of(settings: Settings) -> Answers:
    """The answers of this installation, with the role that may do no more."""
    return Answers(Pool(settings.postgres.dsn(ROLE, DATABASE), "answers"))


def _caller(scope: Scope) -> str:
    """Whose keys these are. Who has no name of their own has the one that they say of themselves on this machine."""
    caller, client = scope.get("auth"), scope.get("client")
    name = f"{caller.kind} {caller.id or caller.name}" if caller else ""
    here = client is not None and client[0] in LOOPBACK
    said = (first(scope, b"x-user-id") or "").strip()[:64] if here else ""
    return f"{name} as {said}" if said and (caller is None or caller.kind == "installation") else name


def _repeated(held: Held, claim: Claim) -> Answer:
    if held.fingerprint != claim.fingerprint:
        raise HTTPException(status_code=422, detail="this Idempotency-Key was used with another request")
    if held.answer is None:
        raise HTTPException(
            status_code=409,
            detail="the first request with this Idempotency-Key has not ended, or was cut off: look what became of it",
            headers={"Retry-After": "1"},
        )
    return held.answer


async def _read(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # half a request must not take the key of the whole one
            raise HTTPException(status_code=400, detail="the caller left before the whole body had come")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > BODY_BYTES:
            raise HTTPException(
                status_code=413, detail=f"with an Idempotency-Key, a body has at most {BODY_BYTES} bytes"
            )
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def read() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read


async def _send(send: Send, answer: Answer) -> None:
    headers = {**answer.headers, "content-length": str(len(answer.body)), REPLAYED: "true"}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
