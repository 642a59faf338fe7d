-- One page in key order after a key. Parameters: since, until, the symbol if one is chosen,
-- then the key: ts, ts, symbol, symbol, session, session, trade_id; the number of rows.
SELECT ts, symbol, session, trade_id, price, quantity, aggressor, buyer, seller, flags, received_at, source FROM ticks
WHERE ts >= %s AND ts < %s {symbol}
    AND (ts > %s OR (ts = %s AND (symbol > %s OR (symbol = %s AND (session > %s OR (session = %s AND trade_id > %s))))))
ORDER BY ts, symbol, session, trade_id
LIMIT %s
