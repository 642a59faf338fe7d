-- `days`: how long the ideas that are done took, together.
SELECT status, category, priority, count(*) AS ideas, count(completed_at) AS completed,
    coalesce(sum(extract(epoch FROM completed_at - created_at)) / 86400, 0)::float8 AS days,
    count(*) FILTER (WHERE created_at >= now() - interval '7 days') AS created_last_7_days
FROM documentation.documentation_ideas
GROUP BY 1, 2, 3
