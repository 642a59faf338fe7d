-- First and last time in warm, from the ends of the index.
SELECT (SELECT ts FROM ticks ORDER BY ts LIMIT 1) AS first_ts, (SELECT ts FROM ticks ORDER BY ts DESC LIMIT 1) AS last_ts,
    pg_database_size(current_database()) AS bytes
