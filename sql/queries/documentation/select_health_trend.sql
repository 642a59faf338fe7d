-- What probes found, day by day.
SELECT (created_at AT TIME ZONE 'UTC')::date AS date, count(*) AS checks,
    count(*) FILTER (WHERE changes -> 'after' ->> 'status' = 'online') AS online,
    avg((changes -> 'after' ->> 'response_time_ms')::float8) AS avg_response_time
FROM documentation.documentation_audit_log
WHERE action = 'health_checked' AND created_at >= now() - %(age)s
GROUP BY 1
ORDER BY 1
