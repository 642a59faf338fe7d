"""The pages of the Hub in PostgreSQL: replaced as a whole when they are read anew, found by words and by kind."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from sql.documentation.entities import literal, question
from sql.documentation.searching import marked
from sql.pool import Pool, Row

INSERT = """INSERT INTO documentation.documentation_pages (path, title, domain, type, tags, status, summary, body)
    VALUES (%(path)s, %(title)s, %(domain)s, %(type)s, %(tags)s, %(status)s, %(summary)s, %(body)s)"""
REVIEW = """INSERT INTO documentation.documentation_page_reviews (fingerprint, pages, score, issues)
    VALUES (%(fingerprint)s, %(pages)s, %(score)s, %(issues)s)"""
FOUND = """SELECT path AS id, title, domain, type, tags, status, path, summary, {rank} AS score, {passage} AS passage,
    count(*) OVER () AS total
    FROM documentation.documentation_pages, documentation.asked(%(q)s) AS asked WHERE {where}
    ORDER BY score DESC, title LIMIT %(limit)s"""
MATCHES = "(search @@ asked OR lower(title) LIKE lower(%(contained)s))"
CONDITIONS = {
    "domain": "domain = %(domain)s",
    "type": "type = %(type)s",
    "status": "status = %(status)s",
    "tags": "tags @> %(tags)s",
}
FACETS = f"""SELECT kind, value, count(*) AS count FROM documentation.documentation_pages
    CROSS JOIN documentation.asked(%(q)s) AS asked
    CROSS JOIN LATERAL (
        VALUES ('domains', domain), ('types', type), ('statuses', status)
        UNION ALL SELECT 'tags', tag FROM jsonb_array_elements_text(tags) AS tag
    ) AS facet (kind, value)
    WHERE %(q)s = '' OR {MATCHES}
    GROUP BY kind, value ORDER BY kind, count DESC, value"""
SUGGESTED = """SELECT title AS text, domain, type, path FROM documentation.documentation_pages
    WHERE documentation.plain(title) LIKE documentation.plain(%(contained)s)
    ORDER BY strpos(documentation.plain(title), documentation.plain(%(q)s)), title LIMIT %(limit)s"""
LAST = """SELECT reviewed_at, fingerprint, pages, score, issues FROM documentation.documentation_page_reviews
    ORDER BY id DESC LIMIT 1"""
TREND = """SELECT reviewed_at, score, issues FROM documentation.documentation_page_reviews
    WHERE reviewed_at >= now() - make_interval(days => %(days)s) ORDER BY id"""
LOCK = "SELECT pg_advisory_xact_lock(hashtext('documentation.pages'))"


async def replace(pool: Pool, pages: Sequence[Mapping[str, Any]], review: Mapping[str, Any]) -> None:
    """Make the index hold exactly these pages, and note what was wrong with them; in one transaction."""
    async with pool.transaction() as connection:
        await connection.execute(LOCK)
        await connection.execute("DELETE FROM documentation.documentation_pages")
        for page in pages:
            await connection.execute(INSERT, {**page, "tags": Jsonb(page["tags"])})
        issues = Jsonb(review["issues"], dumps=msgspec.json.encode)
        await connection.execute(REVIEW, {**review, "issues": issues})


async def search(pool: Pool, text: str, filters: Mapping[str, Any], limit: int) -> tuple[list[Row], int]:
    """Pages that fit, the best first, with `score` and `highlight` (HTML, matches in <mark>); how many fit in all.

    Without words all pages fit that have what `filters` ask for.
    """
    values = {name: value for name, value in filters.items() if value}
    where = [CONDITIONS[name] for name in values]
    if text:
        where.append(MATCHES)
    statement = FOUND.format(
        where=" AND ".join(where) or "true",
        rank="round(ts_rank(search, asked)::numeric, 4)::float8" if text else "0::float8",
        passage="documentation.passage(body, asked)" if text else "NULL::text",
    )
    if "tags" in values:
        values["tags"] = Jsonb(values["tags"])
    rows = await pool.rows(statement, {**values, "limit": limit, **_asked(text)})
    total = int(rows[0]["total"]) if rows else 0
    return [{**_without(row, "total", "passage"), "highlight": marked(row["passage"])} for row in rows], total


async def facets(pool: Pool, text: str) -> dict[str, list[Row]]:
    """What the pages are, counted: domains, types, tags (the fifty commonest), statuses."""
    found: dict[str, list[Row]] = {"domains": [], "types": [], "tags": [], "statuses": []}
    for row in await pool.rows(FACETS, _asked(text)):
        found[row["kind"]].append({"value": row["value"], "count": int(row["count"])})
    return {kind: entries[:50] if kind == "tags" else entries for kind, entries in found.items()}


async def suggestions(pool: Pool, text: str, limit: int) -> list[Row]:
    """Pages whose title holds the text, those that begin with it first."""
    return await pool.rows(SUGGESTED, {**_asked(text), "limit": limit})


async def last_review(pool: Pool) -> Row | None:
    """What was found when the pages were read last; None when they never were."""
    return await pool.one(LAST)


async def reviews(pool: Pool, days: int) -> list[Row]:
    """What was found each time in the last so many days, the oldest first."""
    return await pool.rows(TREND, {"days": days})


def _asked(text: str) -> dict[str, str]:
    return {"q": question(text), "contained": f"%{literal(text)}%"}


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
