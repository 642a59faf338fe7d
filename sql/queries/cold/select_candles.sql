-- Candles of one symbol. Parameters: interval in seconds, symbol, first and last UTC day, since, until.
SELECT time_bucket(to_seconds(?), ts, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS bucket,
    arg_min(price, (ts, session, trade_id)) AS open, max(price) AS high, min(price) AS low,
    arg_max(price, (ts, session, trade_id)) AS close, sum(quantity)::BIGINT AS volume, count(*) AS trades
FROM ticks
WHERE symbol = ? AND day BETWEEN ? AND ? AND ts >= ? AND ts < ? AND flags & 1 = 0
GROUP BY bucket
ORDER BY bucket
