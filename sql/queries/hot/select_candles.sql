-- Candles of one symbol. The inner order makes first and last those of time and trade number, not of arrival.
-- Parameters: symbol, since, until. {interval} is one of ours.
SELECT ts, first(price) AS open, max(price) AS high, min(price) AS low, last(price) AS close,
    sum(quantity) AS volume, count() AS trades
FROM (
    SELECT ts, price, quantity FROM ticks
    WHERE symbol = %s AND ts >= %s AND ts < %s AND (flags & 1) = 0
    ORDER BY ts, session, trade_id
) TIMESTAMP(ts)
SAMPLE BY {interval} ALIGN TO CALENDAR
ORDER BY ts
