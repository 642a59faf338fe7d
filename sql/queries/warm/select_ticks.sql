-- One page in key order after a key. COLLATE "C": the order of all stores, whatever the database's language is.
-- Parameters: since, until, the symbol if one is chosen, then the key: ts, ts, symbol, session, trade_id; number of rows.
SELECT ts, symbol, session, trade_id, price, quantity, aggressor, buyer, seller, flags, received_at, source FROM ticks
WHERE ts >= %s AND ts < %s {symbol}
    AND (ts > %s OR (ts = %s AND (symbol COLLATE "C", session, trade_id) > (%s, %s, %s)))
ORDER BY ts, symbol COLLATE "C", session, trade_id
LIMIT %s
