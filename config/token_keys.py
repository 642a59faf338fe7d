"""The keys that sign people's tokens: in the data directory, for their owner alone, the newest first.

The newest signs. Older ones still prove what they signed, until the last of it is over.
"""

import json
import secrets as random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from config import secrets

PROVES = timedelta(hours=1)  # longer than any token that a key signed may live


class TokenKey(Struct, frozen=True):
    """One key; `id` stands in the head of every token that it signed."""

    id: str
    secret: str
    made_at: datetime


def place(data_dir: Path) -> Path:
    """The file that holds them."""
    return data_dir / "token-keys.json"


def read(data_dir: Path, now: datetime | None = None) -> list[TokenKey]:
    """Those that count, the newest first; none where nobody has logged in yet."""
    path = place(data_dir)
    if not path.is_file():
        return []
    return _counting(msgspec.json.decode(path.read_bytes(), type=list[TokenKey]), now or datetime.now(UTC))


def rotate(data_dir: Path, now: datetime | None = None) -> list[TokenKey]:
    """Make a new key; from now on it signs."""
    now = now or datetime.now(UTC)
    made = TokenKey(id=random.token_hex(4), secret=random.token_urlsafe(48), made_at=now)
    kept = _counting([made, *read(data_dir, now)], now)
    data_dir.mkdir(parents=True, exist_ok=True)
    secrets.keep(place(data_dir), json.dumps(msgspec.to_builtins(kept), indent=2).encode("utf-8"))
    return kept


def _counting(keys: list[TokenKey], now: datetime) -> list[TokenKey]:
    """A key counts until an hour after the next one was made."""
    return [
        key for key, newer in zip(keys, [None, *keys], strict=False) if newer is None or now - newer.made_at < PROVES
    ]
