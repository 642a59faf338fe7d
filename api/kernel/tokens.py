"""Tokens of people: signed, short-lived, and only a name for a session that the register still has to confirm."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from msgspec import Struct

from config import token_keys
from config.token_keys import TokenKey

ISSUER = "tradingsystem"
ALGORITHM = "HS256"
ACCESS_SECONDS = 900
AGE = timedelta(days=30)  # of a signing key, before the next login makes another
LOOK_SECONDS = 1.0  # a key may be superseded or over for so long before it is noticed
LEAST_SECONDS = 0.02  # between looks, however many tokens of unknown keys come


class Bearer(Struct, frozen=True):
    """Whom a token names."""

    person: str
    session: uuid.UUID


class Tokens:
    """Signs and proves with the keys of one data directory; a key that another process made is found by itself."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._keys: list[TokenKey] = []
        self._looked = -LOOK_SECONDS

    def issue(self, bearer: Bearer, name: str, role: str) -> str:
        """A token for `ACCESS_SECONDS`. Name and role are for its reader; rights come from the register."""
        key, now = self._signing(), int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": bearer.person,
            "sid": str(bearer.session),
            "name": name,
            "role": role,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
        }
        return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.id})

    def bearer(self, token: str) -> Bearer | None:
        """Whom a token names; None when it is over, altered, or signed by a key that no longer counts."""
        try:
            key = self._known(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": ["exp", "iat", "iss", "sub", "sid"]},
            )
            return Bearer(str(claims["sub"]), uuid.UUID(str(claims["sid"])))
        except (jwt.InvalidTokenError, ValueError):
            return None

    def rotate(self) -> str:
        """Make another key; its id."""
        self._keys = token_keys.rotate(self._data_dir)
        return self._keys[0].id

    def _signing(self) -> TokenKey:
        self._look()
        if not self._keys or datetime.now(UTC) - self._keys[0].made_at > AGE:
            self.rotate()
        return self._keys[0]

    def _known(self, key_id: str) -> TokenKey | None:
        age = time.monotonic() - self._looked
        found = self._found(key_id)
        if age > LOOK_SECONDS or (found is None and age > LEAST_SECONDS):
            self._look()
            found = self._found(key_id)
        return found

    def _found(self, key_id: str) -> TokenKey | None:
        return next((key for key in self._keys if key.id == key_id), None)

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._keys = token_keys.read(self._data_dir)
