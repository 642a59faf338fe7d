"""Parts of the API documents, found by words, and the versions of those documents that somebody kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from sql.documentation.entities import literal, question
from sql.pool import Pool, Row

INSERT = """INSERT INTO documentation.documentation_spec_entries (id, type, source, title, description, path, method)
    VALUES (%(id)s, %(type)s, %(source)s, %(title)s, %(description)s, %(path)s, %(method)s)"""
FOUND = """SELECT id, type, title, description, path, method, source,
    round(ts_rank(search, asked)::numeric, 4)::float8 AS score, count(*) OVER () AS total
    FROM documentation.documentation_spec_entries, documentation.asked(%(q)s) AS asked
    WHERE (search @@ asked OR lower(coalesce(path, title)) LIKE lower(%(contained)s)) {more}
    ORDER BY score DESC, id LIMIT %(limit)s"""
SUGGESTED = """SELECT text, min(type) AS type, min(source) AS source FROM (
        SELECT coalesce(path, title) AS text, type, source FROM documentation.documentation_spec_entries
        UNION ALL SELECT title, type, source FROM documentation.documentation_spec_entries
    ) AS every WHERE lower(text) LIKE lower(%(contained)s)
    GROUP BY text ORDER BY strpos(lower(text), lower(%(q)s)), text LIMIT %(limit)s"""
LOCK = "SELECT pg_advisory_xact_lock(hashtext('documentation.specs'))"
VERSION = "SELECT * FROM documentation.documentation_spec_versions WHERE version = %(version)s"
KEPT = """SELECT version, type, created_by, created_at FROM documentation.documentation_spec_versions
    ORDER BY string_to_array(version, '.')::int[]"""
KEEP = """INSERT INTO documentation.documentation_spec_versions (version, type, openapi, asyncapi, created_by)
    VALUES (%(version)s, %(type)s, %(openapi)s, %(asyncapi)s, %(by)s)"""
STEPS = ("major", "minor", "patch")


async def replace(pool: Pool, entries: Sequence[Mapping[str, Any]]) -> None:
    """Make the index hold exactly these entries."""
    async with pool.transaction() as connection:
        await connection.execute(LOCK)
        await connection.execute("DELETE FROM documentation.documentation_spec_entries")
        for entry in entries:
            await connection.execute(INSERT, entry)


async def count(pool: Pool) -> int:
    """How many entries there are."""
    row = await pool.one("SELECT count(*) AS entries FROM documentation.documentation_spec_entries")
    return int(row["entries"]) if row else 0


async def search(pool: Pool, text: str, filters: Mapping[str, str | None], limit: int) -> tuple[list[Row], int]:
    """Entries that fit, the best first, with `score`; how many fit in all."""
    values = {name: value for name, value in filters.items() if value}
    more = "".join(f" AND {name} = %({name})s" for name in values if name in ("type", "source"))
    asked = {"q": question(text), "contained": f"%{literal(text)}%", "limit": limit}
    rows = await pool.rows(FOUND.format(more=more), {**values, **asked})
    total = int(rows[0]["total"]) if rows else 0
    return [{name: value for name, value in row.items() if name != "total"} for row in rows], total


async def suggestions(pool: Pool, text: str, limit: int) -> list[Row]:
    """Paths and titles that hold the text, those that begin with it first, each once."""
    return await pool.rows(SUGGESTED, {"q": text, "contained": f"%{literal(text)}%", "limit": limit})


async def versions(pool: Pool) -> list[Row]:
    """Every version that was kept, in their order."""
    return await pool.rows(KEPT)


async def version(pool: Pool, number: str) -> Row | None:
    """A version with its documents."""
    return await pool.one(VERSION, {"version": number})


async def keep(pool: Pool, step: str, openapi: Mapping[str, Any], asyncapi: Mapping[str, Any], by: str) -> str:
    """Keep these documents under the number that follows the greatest one; that number."""
    async with pool.transaction() as connection:
        await connection.execute(LOCK)
        kept = await (await connection.execute(KEPT)).fetchall()
        number = following(kept[-1]["version"] if kept else "0.0.0", step)
        documents = {
            "openapi": Jsonb(openapi, dumps=msgspec.json.encode),
            "asyncapi": Jsonb(asyncapi, dumps=msgspec.json.encode),
        }
        await connection.execute(KEEP, {"version": number, "type": step, "by": by, **documents})
    return number


def following(number: str, step: str) -> str:
    """The number after `number`: 1.2.3 becomes 2.0.0 (major), 1.3.0 (minor), 1.2.4 (patch)."""
    parts, place = [int(part) for part in number.split(".")], STEPS.index(step)
    return ".".join(map(str, [*parts[:place], parts[place] + 1, *[0] * (2 - place)]))
