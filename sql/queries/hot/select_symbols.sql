-- Rows, first and last time of each symbol in hot.
SELECT symbol, count() AS rows, min(ts) AS first_ts, max(ts) AS last_ts FROM ticks ORDER BY rows DESC, symbol
