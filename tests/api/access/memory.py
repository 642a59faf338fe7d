"""The register in memory, for tests of what a gate does with it."""

import uuid
from typing import Any

from api.kernel.directory import digest, made_key


class Register:
    """The register in memory."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.sessions: dict[uuid.UUID, dict[str, Any]] = {}

    def add_key(self, name: str, scopes: set[str], source: str | None = None, *, good: bool = True) -> str:
        key_id, key = made_key()
        row = {"id": key_id, "name": name, "hash": digest(key), "scopes": sorted(scopes), "source": source}
        self.keys[key_id] = row | {"good": good, "worth_noting": False}
        return key

    def add_session(self, role: str, *, good: bool = True) -> uuid.UUID:
        session = uuid.uuid4()
        self.sessions[session] = {"person": uuid.uuid4(), "name": role, "role": role, "good": good}
        return session

    async def key(self, key_id: str) -> dict[str, Any] | None:
        return self.keys.get(key_id)

    async def session(self, session: uuid.UUID) -> dict[str, Any] | None:
        return self.sessions.get(session)

    async def close(self) -> None:
        return None
