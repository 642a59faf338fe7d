-- What warm holds of one session, by symbol and source. Prices in ten-thousandths: their sums are exact.
SELECT
    symbol,
    source,
    count(*) AS told,
    sum(quantity)::bigint AS told_quantity,
    sum(round(price * 10000)::numeric * quantity) AS told_turnover,
    count(*) FILTER (WHERE flags & 1 = 0) AS trades,
    coalesce(sum(quantity) FILTER (WHERE flags & 1 = 0), 0)::bigint AS quantity,
    coalesce(sum(round(price * 10000)::numeric * quantity) FILTER (WHERE flags & 1 = 0), 0) AS turnover,
    count(*) FILTER (WHERE trade_id < 8796093022208) AS own_numbers,
    min(trade_id) FILTER (WHERE trade_id < 8796093022208) AS first_id,
    max(trade_id) FILTER (WHERE trade_id < 8796093022208) AS last_id,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    min(received_at) AS first_received,
    max(received_at) AS last_received
FROM ticks
WHERE {where}
GROUP BY symbol, source
