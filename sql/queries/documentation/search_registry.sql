-- Systems, ideas, links and files that match, the best of each kind first; `contained` is a LIKE pattern.
WITH asked AS (SELECT documentation.asked(%(search)s) AS query),
found AS (
    SELECT 'systems' AS kind, id, name AS heading, description AS body, status, search,
        name ILIKE %(contained)s AS in_heading
    FROM documentation.documentation_systems
    WHERE 'systems' = ANY(%(kinds)s)
        AND (search @@ (SELECT documentation.asked(%(search)s)) OR name ILIKE %(contained)s OR description ILIKE %(contained)s)
    UNION ALL
    SELECT 'ideas', id, title, description, status, search, title ILIKE %(contained)s
    FROM documentation.documentation_ideas
    WHERE 'ideas' = ANY(%(kinds)s)
        AND (search @@ (SELECT documentation.asked(%(search)s)) OR title ILIKE %(contained)s OR description ILIKE %(contained)s)
    UNION ALL
    SELECT 'links', id, title, concat_ws(' ', description, url), NULL, search, title ILIKE %(contained)s
    FROM documentation.documentation_links
    WHERE 'links' = ANY(%(kinds)s)
        AND (search @@ (SELECT documentation.asked(%(search)s)) OR title ILIKE %(contained)s OR url ILIKE %(contained)s)
    UNION ALL
    SELECT 'files', id, original_name, description, mime_type, search, original_name ILIKE %(contained)s
    FROM documentation.documentation_files
    WHERE 'files' = ANY(%(kinds)s)
        AND (search @@ (SELECT documentation.asked(%(search)s))
            OR original_name ILIKE %(contained)s OR description ILIKE %(contained)s)
),
ranked AS (
    SELECT found.*, ts_rank(search, query) + CASE WHEN in_heading THEN 0.5 ELSE 0 END AS score,
        row_number() OVER (PARTITION BY kind
            ORDER BY ts_rank(search, query) + CASE WHEN in_heading THEN 0.5 ELSE 0 END DESC, id) AS place,
        count(*) OVER (PARTITION BY kind) AS matches
    FROM found, asked
)
SELECT kind, id, score::float8 AS score, matches,
    documentation.passage(concat_ws(' – ', heading, body), query) AS passage
FROM ranked, asked
WHERE place <= %(limit)s
ORDER BY kind, place
