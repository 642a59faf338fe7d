"""The content of files: in by parts of a mebibyte, out by parts of a mebibyte, never whole in this process' memory."""

import hashlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct

from sql.documentation import audit
from sql.documentation.audit import Who
from sql.documentation.tables import FILES
from sql.errors import StoreError
from sql.pool import Pool, Row
from sql.queries import statement

PART_BYTES = 1 << 20
MEGABYTE = 1 << 20
SIZES = ("small", "medium", "large", "xlarge")

ADD_PART = """INSERT INTO documentation.documentation_upload_parts (file_id, number, content)
    VALUES (%(key)s, %(number)s, %(content)s)"""
ADD_FILE = f"""WITH it AS (INSERT INTO documentation.documentation_files
    (id, filename, original_name, mime_type, size_bytes, content, description, idea_id, system_id, uploaded_by,
        is_public, checksum)
    SELECT %(key)s, %(filename)s, %(original_name)s, %(mime_type)s, %(size_bytes)s, coalesce(
            (SELECT string_agg(content, ''::bytea ORDER BY number) FROM documentation.documentation_upload_parts
                WHERE file_id = %(key)s), ''::bytea),
        %(description)s, %(idea_id)s, %(system_id)s, %(uploaded_by)s, %(is_public)s, %(checksum)s
    RETURNING *) SELECT {FILES.read} FROM it"""
DROP_PARTS = "DELETE FROM documentation.documentation_upload_parts WHERE file_id = %(key)s"
READ_PART = """SELECT substring(content FROM %(first)s FOR %(length)s) AS part
    FROM documentation.documentation_files WHERE id = %(key)s"""
COUNT_DOWNLOAD = """UPDATE documentation.documentation_files SET download_count = download_count + 1
    WHERE id = %(key)s"""


class Arrival(Struct, frozen=True, kw_only=True):
    """A file that comes in, before its bytes are known."""

    filename: str  # as it is stored: unique
    original_name: str
    mime_type: str
    description: str | None = None
    idea_id: uuid.UUID | None = None
    system_id: uuid.UUID | None = None
    is_public: bool = False


class GoneError(StoreError):
    """A file was removed while it was read."""


async def stored(pool: Pool, arrival: Arrival, parts: AsyncIterator[bytes], who: Who) -> Row:
    """Store a file and its SHA-256. Raises ConflictError when its system or idea does not exist."""
    key, digest, size, number = uuid.uuid4(), hashlib.sha256(), 0, 0
    async with pool.transaction() as connection:
        async for part in parts:
            digest.update(part)
            size += len(part)
            number += 1
            await connection.execute(ADD_PART, {"key": key, "number": number, "content": part})
        values = {name: getattr(arrival, name) for name in Arrival.__struct_fields__}
        told = {"key": key, "size_bytes": size, "checksum": digest.hexdigest(), "uploaded_by": who.user}
        row = await (await connection.execute(ADD_FILE, values | told)).fetchone()
        assert row is not None
        await connection.execute(DROP_PARTS, {"key": key})
        await audit.record(connection, who, FILES.name, key, action="created", changes={"after": row})
    return row


async def content(pool: Pool, key: uuid.UUID, first: int, length: int) -> AsyncIterator[bytes]:
    """So many bytes from byte number `first` on, in parts. No connection is held between two of them."""
    while length > 0:
        asked = min(PART_BYTES, length)
        row = await pool.one(READ_PART, {"key": key, "first": first + 1, "length": asked})
        if row is None or not row["part"]:
            raise GoneError(f"file {key} was removed while it was read, at byte {first}")
        yield row["part"]
        first, length = first + len(row["part"]), length - len(row["part"])


async def count_download(pool: Pool, key: uuid.UUID) -> None:
    """One more download."""
    await pool.run(COUNT_DOWNLOAD, {"key": key})


async def statistics(pool: Pool) -> dict[str, Any]:
    """Figures over all files."""
    return folded(await pool.rows(statement("documentation", "count_files")))


def folded(rows: list[Row]) -> dict[str, Any]:
    """Counts and sizes by type, uploader, visibility and size, from those of each combination."""
    types: Counter[str] = Counter()
    uploaders: Counter[str] = Counter()
    sizes: Counter[str] = Counter(dict.fromkeys(SIZES, 0))
    seen = {name: {"count": 0, "size": 0} for name in ("public", "private")}
    for row in rows:
        count = int(row["files"])
        types[row["mime_type"]] += count
        uploaders[row["uploaded_by"]] += count
        sizes[row["size"]] += count
        visible = seen["public" if row["is_public"] else "private"]
        visible["count"] += count
        visible["size"] += int(row["bytes"])
    size = sum(int(row["bytes"]) for row in rows)
    return {
        "total": sum(types.values()),
        "total_size": size,
        "total_size_bytes": size,
        "total_downloads": sum(int(row["downloads"]) for row in rows),
        "by_mime_type": dict(types),
        "by_uploader": dict(uploaders),
        "by_visibility": seen,
        "size_distribution": dict(sizes),
        "by_idea": sum(int(row["of_ideas"]) for row in rows),
    }
