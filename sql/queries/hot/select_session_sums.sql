-- What hot holds of one session, by symbol and source. Prices in ten-thousandths: their sums are exact.
SELECT
    symbol,
    source,
    count() AS told,
    sum(quantity) AS told_quantity,
    sum(cast(round(price * 10000.0, 0) AS LONG) * quantity) AS told_turnover,
    sum(CASE WHEN (flags & 1) = 0 THEN 1L ELSE 0L END) AS trades,
    sum(CASE WHEN (flags & 1) = 0 THEN quantity ELSE 0L END) AS quantity,
    sum(CASE WHEN (flags & 1) = 0 THEN cast(round(price * 10000.0, 0) AS LONG) * quantity ELSE 0L END) AS turnover,
    sum(CASE WHEN trade_id < 8796093022208 THEN 1L ELSE 0L END) AS own_numbers,
    min(CASE WHEN trade_id < 8796093022208 THEN trade_id ELSE null END) AS first_id,
    max(CASE WHEN trade_id < 8796093022208 THEN trade_id ELSE null END) AS last_id,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    min(received_at) AS first_received,
    max(received_at) AS last_received
FROM ticks
WHERE {where}
