-- First and last time in the cold tier. Parameters: its first and its last UTC day.
SELECT min(ts) AS first_ts, max(ts) AS last_ts FROM ticks WHERE day = ? OR day = ?
