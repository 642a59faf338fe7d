SELECT status, type, coalesce(owner, 'unassigned') AS owner, count(*) AS systems,
    count(response_time_ms) AS timed, coalesce(sum(response_time_ms), 0) AS response_ms
FROM documentation.documentation_systems
GROUP BY 1, 2, 3
