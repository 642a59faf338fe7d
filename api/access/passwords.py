"""Passwords: Argon2id, in threads and two at a time, so that a flood of logins takes neither memory nor the loop."""

from functools import partial

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 256
AT_ONCE = 2  # 64 MiB each


class Passwords:
    """Makes and checks hashes; a check takes as long for a name that nobody has."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")
        self._limiter: anyio.CapacityLimiter | None = None

    async def hashed(self, password: str) -> str:
        """The hash to store; its salt and cost are in it."""
        made: str = await anyio.to_thread.run_sync(partial(self._hasher.hash, password), limiter=self._turns())
        return made

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether the hash is that of the password; False for None, after the same time."""
        known = await anyio.to_thread.run_sync(
            partial(self._verified, stored or self._nobody, password), limiter=self._turns()
        )
        return known and stored is not None

    def _verified(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def _turns(self) -> anyio.CapacityLimiter:
        self._limiter = self._limiter or anyio.CapacityLimiter(AT_ONCE)
        return self._limiter


def weakness(password: str, name: str) -> str | None:
    """Why this may not be a password; None when it may."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"expected {SHORTEST} to {LONGEST} characters, found {len(password)}"
    if name.lower() in password.lower():
        return "it holds the name"
    if len(set(password)) < 5:
        return "it has fewer than five different characters"
    return None
