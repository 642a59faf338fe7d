"""Files over HTTP as readers of Parquet need them: byte ranges, entity tags, conditions (RFC 9110)."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from litestar import Request, Response
from litestar.exceptions import ClientException
from litestar.response import Stream

CHUNK_BYTES = 1 << 20
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class RangeNotSatisfiableError(ClientException):
    """The range begins behind the end of the file."""

    status_code = 416


def begins(headers: Any) -> bool:
    """Whether a request starts to read a file: not a range, or the range a reader asks for first (start or end)."""
    found = RANGE.fullmatch(headers.get("range", "").strip())
    return found is None or found[1] in ("", "0")


def wanted(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a `Range` header on a file of `size` bytes; None when the whole file is to be sent.

    Several ranges, other units and what is not understood mean the whole file. Raises RangeNotSatisfiableError.
    """
    found = RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]) or len(found[1]) > 18 or len(found[2]) > 18:
        return None
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < first:
            return None
    else:
        first, last = max(0, size - int(found[2])), size - 1
    if first > last:
        raise RangeNotSatisfiableError(
            f"range {header} lies behind the end of {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return first, last


def file_response(
    request: Request[Any, Any, Any], path: Path, *, etag: str, media_type: str, headers: dict[str, str]
) -> Response[Any]:
    """The file at `path`, or the part of it that was asked for, streamed in blocks of a mebibyte."""
    headers = {**headers, "ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    if "if-match" in request.headers and not _matches(request.headers["if-match"], etag):
        return Response(b"", status_code=412, headers=headers)
    file = path.open("rb")
    try:
        size = os.fstat(file.fileno()).st_size
        fresh = request.headers.get("if-range", etag) == etag
        part = wanted(request.headers.get("range", ""), size) if fresh else None
    except BaseException:
        file.close()
        raise
    first, last = part or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.scope["state"].get("head"):
        file.close()
        return Response(b"", status_code=206 if part else 200, headers=headers, media_type=media_type)
    return Stream(
        _blocks(file, first, last - first + 1),
        status_code=206 if part else 200,
        headers=headers,
        media_type=media_type,
    )


def _blocks(file: BinaryIO, first: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while length > 0 and (block := file.read(min(CHUNK_BYTES, length))):
            length -= len(block)
            yield block


def _matches(header: str | None, etag: str) -> bool:
    return header is not None and (header.strip() == "*" or etag in (tag.strip() for tag in header.split(",")))
