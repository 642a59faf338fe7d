"""One search over systems, ideas, links and files, in Portuguese and English, with the passage that was found."""

import html
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sql.documentation import entities, tables
from sql.documentation.tables import Entity
from sql.pool import Pool, Row
from sql.queries import statement

KINDS: Mapping[str, Entity] = {each.name: each for each in (tables.SYSTEMS, tables.IDEAS, tables.LINKS, tables.FILES)}
OPENED, CLOSED = "\ue000", "\ue001"  # how the statement marks what matches


async def search(pool: Pool, text: str, kinds: Sequence[str], limit: int) -> tuple[dict[str, list[Row]], int]:
    """Rows of each kind with `score` and `highlight` (HTML, escaped, matches in <mark>), and how many match in all."""
    hits = await pool.rows(
        statement("documentation", "search_registry"),
        {
            "search": entities.question(text),
            "contained": f"%{entities.literal(text)}%",
            "kinds": list(kinds),
            "limit": limit,
        },
    )
    results: dict[str, list[Row]] = {}
    for kind in kinds:
        mine = {hit["id"]: hit for hit in hits if hit["kind"] == kind}
        rows = {row["id"]: row for row in await _rows(pool, KINDS[kind], list(mine))}
        results[kind] = [
            rows[key] | {"score": round(hit["score"], 4), "highlight": marked(hit["passage"])}
            for key, hit in mine.items()
            if key in rows
        ]
    return results, sum({hit["kind"]: int(hit["matches"]) for hit in hits}.values())


def marked(passage: str | None) -> str:
    """The passage as HTML: what matches in <mark>, everything else as text."""
    return html.escape(passage or "").replace(OPENED, "<mark>").replace(CLOSED, "</mark>")


async def _rows(pool: Pool, entity: Entity, keys: list[uuid.UUID]) -> list[dict[str, Any]]:
    if not keys:
        return []
    return await pool.rows(f"SELECT {entity.read} FROM {entity.source} WHERE it.id = ANY(%(keys)s)", {"keys": keys})
