"""Frames of WebSocket messages, made once and written to any number of clients; and what a client's end must offer."""

from collections.abc import Iterable
from typing import Protocol

TEXT = b"\x81"  # a whole message of text; servers do not mask
SHORT, MEDIUM = 126, 1 << 16
HEADS = [TEXT + bytes([size]) for size in range(SHORT)]
HEADS += [TEXT + b"\x7e" + size.to_bytes(2, "big") for size in range(SHORT, 1024)]
TRY_AGAIN, BROKEN, POLICY = 1013, 1011, 1008  # codes of a close


class Wire(Protocol):
    """A client's end of a connection. Nothing here waits but `drained`."""

    @property
    def gone(self) -> bool: ...

    def waiting_bytes(self) -> int: ...

    def write_frames(self, data: bytes) -> None: ...

    async def drained(self) -> None: ...

    def cut(self, code: int, reason: str) -> None: ...


def framed(texts: Iterable[bytes]) -> bytes:
    """One message for each text."""
    return b"".join([(HEADS[len(text)] if len(text) < 1024 else head(len(text))) + text for text in texts])


def head(size: int) -> bytes:
    """The header of a message of `size` bytes."""
    if size < len(HEADS):
        return HEADS[size]
    if size < MEDIUM:
        return TEXT + b"\x7e" + size.to_bytes(2, "big")
    return TEXT + b"\x7f" + size.to_bytes(8, "big")
