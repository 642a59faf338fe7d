"""A WebSocket client that is only a socket: it reads when it is told to, and reads fast."""

import socket
from collections.abc import Iterator

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, CLOSE, PING = 0x81, 0x88, 0x89


def opened(port: int, path: str, buffer: int | None = None) -> socket.socket:
    """A connection that was accepted; `buffer`: bytes that the system may hold for it here."""
    made = socket.socket()
    if buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.settimeout(20)
    made.connect(("127.0.0.1", port))
    made.sendall(HANDSHAKE.format(path=path, port=port).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += made.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return made


def frames(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """First byte, content and end of each whole frame."""
    at = 0
    while len(data) - at >= 2:
        size, begin = data[at + 1], at + 2
        if size >= 126:
            begin += 2 if size == 126 else 8
            size = int.from_bytes(data[at + 2 : begin], "big")
        if len(data) < begin + size:
            return
        yield data[at], data[begin : begin + size], begin + size
        at = begin + size


def heard(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """First byte and content of each frame, until the server closes."""
    left = b""
    while data := connection.recv(1 << 20):
        left += data
        over = 0
        for first, content, end in frames(left):
            if first == PING:
                pong(connection, content)
            else:
                yield first, content
            if first == CLOSE:
                return
            over = end
        left = left[over:]


def pong(connection: socket.socket, content: bytes) -> None:
    """Answer a ping, masked as clients must."""
    connection.sendall(bytes([0x8A, 0x80 | len(content)]) + bytes(4) + content)
