"""Tokens at rest: AES-256-GCM under `TP_CAPITAL_TOKEN_KEY`, bound to the entry they belong to.

Several keys, comma separated: the first seals, all open. Without a key nothing is sealed or opened, and that is said.
"""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar.exceptions import ServiceUnavailableException

NONCE_BYTES = 12
FORM = "v1."
SHOWN = 4  # characters of a token at each end: the original's page shows as many
MASK = "*" * 8


class Seals:
    """Seals and opens texts."""

    def __init__(self, keys: str | None) -> None:
        # The key is long and random; the hash brings any length to the cipher's.
        parts = [part.strip() for part in (keys or "").split(",") if part.strip()]
        self._ciphers = [AESGCM(hashlib.sha256(part.encode()).digest()) for part in parts]

    def seal(self, text: str, owner: str) -> str:
        """`text` so that only a holder of the key reads it, and only as the token of `owner`."""
        cipher = self._known()[0]
        nonce = os.urandom(NONCE_BYTES)
        sealed = cipher.encrypt(nonce, text.encode(), owner.encode())
        return FORM + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, owner: str) -> str | None:
        """The text; None when no key opens it, or it is of another owner."""
        for cipher in self._known():
            try:
                raw = base64.urlsafe_b64decode(sealed.removeprefix(FORM))
                return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], owner.encode()).decode()
            except (InvalidTag, ValueError):  # another key or owner; or nothing that we sealed
                continue
        return None

    def masked(self, sealed: str, owner: str) -> str:
        """What may be shown of a token: its ends, or nothing when it cannot be opened."""
        text = self.open(sealed, owner) if self._ciphers else None
        return masked(text) if text else MASK

    def _known(self) -> list[AESGCM]:
        if not self._ciphers:
            raise ServiceUnavailableException("tokens cannot be kept: TP_CAPITAL_TOKEN_KEY is not set")
        return self._ciphers


def masked(token: str) -> str:
    """The ends of a token that is long enough to have a middle."""
    return f"{token[:SHOWN]}{MASK}{token[-SHOWN:]}" if len(token) >= 5 * SHOWN else MASK
