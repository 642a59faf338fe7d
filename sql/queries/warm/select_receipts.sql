-- What warm and cold held of ticks when they were last written, by UTC day; `agree`: cold is the day as warm has it.
-- An empty digest is not known yet, so it agrees with nothing.
SELECT day, max(rows) FILTER (WHERE tier = 'warm') AS warm, max(rows) FILTER (WHERE tier = 'cold') AS cold,
    coalesce(max(nullif(digest, '')) FILTER (WHERE tier = 'warm') = max(digest) FILTER (WHERE tier = 'cold'), false) AS agree,
    max(digest) FILTER (WHERE tier = 'cold') AS digest
FROM receipts
WHERE table_name = 'ticks'
GROUP BY day
ORDER BY day
