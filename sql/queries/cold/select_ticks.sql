-- One page in key order after a key. Parameters: first and last UTC day, since, until, the symbol if one is chosen,
-- then the key: ts, ts, symbol, session, trade_id; number of rows.
SELECT ts, symbol, session, trade_id, price, quantity, aggressor, buyer, seller, flags, received_at, source FROM ticks
WHERE day BETWEEN ? AND ? AND ts >= ? AND ts < ? {symbol}
    AND (ts > ? OR (ts = ? AND (symbol, session, trade_id) > (?, ?, ?)))
ORDER BY ts, symbol, session, trade_id
LIMIT ?
