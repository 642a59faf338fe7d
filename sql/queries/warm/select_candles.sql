-- Candles of one symbol. Parameters: interval in seconds, symbol, since, until.
SELECT date_bin(make_interval(secs => %s), ts, timestamptz '1970-01-01 00:00:00+00') AS ts,
    (array_agg(price ORDER BY ticks.ts, session, trade_id))[1] AS open, max(price) AS high, min(price) AS low,
    (array_agg(price ORDER BY ticks.ts DESC, session DESC, trade_id DESC))[1] AS close,
    sum(quantity)::bigint AS volume, count(*) AS trades
FROM ticks
WHERE symbol = %s AND ticks.ts >= %s AND ticks.ts < %s AND flags & 1 = 0
GROUP BY 1
ORDER BY 1
