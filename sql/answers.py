"""Answers to writes that carried a key, kept for a day in PostgreSQL: whoever repeats a write gets its answer again.

A key is taken before the write and answered after it. A process that dies between leaves a key without an answer.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from psycopg.types.json import Jsonb

from sql.pool import Pool
from sql.queries import statement

DATABASE = "frontend_apps"
ROLE = "app_kernel"
KEPT_SECONDS = 24 * 3600
SWEEP_SECONDS = 3600.0


class Claim(Struct, frozen=True):
    """A key that one request holds; `fingerprint` is that of the request."""

    service: str
    caller: str
    key: str
    fingerprint: bytes
    id: uuid.UUID


class Answer(Struct, frozen=True):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Held(Struct, frozen=True):
    """A key that another request took; without `answer` that one has not ended, or was cut off."""

    fingerprint: bytes
    answer: Answer | None


class Answers:
    """The answers of all services of a process."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool = pool
        self._clock = clock
        self._swept = clock()

    async def claim(self, claim: Claim) -> Held | None:
        """Take the key; None when it is ours now."""
        if self._clock() - self._swept > SWEEP_SECONDS:
            self._swept = self._clock()
            await self.pool.run(_statement("delete_old_answers"), {"kept": KEPT_SECONDS})
        names = _names(claim)
        while await self.pool.one(_statement("claim_answer"), names) is None:
            row = await self.pool.one(_statement("select_answer"), names)
            if row is not None:  # else it was let go in between
                return Held(row["fingerprint"], _answer(row))
        return None

    async def keep(self, claim: Claim, answer: Answer) -> None:
        """The answer to the request that holds the key."""
        values = {"status": answer.status, "headers": Jsonb(dict(answer.headers)), "body": answer.body}
        await self.pool.run(_statement("update_answer"), _names(claim) | values)

    async def release(self, claim: Claim) -> None:
        """Let the key go: nothing came of the request."""
        await self.pool.run(_statement("delete_answer"), _names(claim))


def _statement(name: str) -> str:
    return statement("kernel", name)


def _names(claim: Claim) -> dict[str, Any]:
    return {
        "service": claim.service,
        "caller": claim.caller,
        "key": claim.key,
        "fingerprint": claim.fingerprint,
        "claim": claim.id,
        "kept": KEPT_SECONDS,
    }


def _answer(row: Mapping[str, Any]) -> Answer | None:
    return None if row["status"] is None else Answer(row["status"], row["headers"], bytes(row["body"]))
