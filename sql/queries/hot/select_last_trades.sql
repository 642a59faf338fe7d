-- The newest trades, newest first. Parameter: number of rows.
SELECT ts, symbol, session, trade_id, price, quantity, aggressor, flags FROM ticks
ORDER BY ts DESC
LIMIT %s
