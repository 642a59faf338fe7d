-- The DLL's daily sums of a session that count most trades, by symbol.
SELECT told.symbol, told.ts, told.trades, told.quantity, told.volume, told.received_at, told.source
FROM (SELECT symbol, ts, trades, quantity, volume, received_at, source FROM daily WHERE {where}) AS told
JOIN (SELECT symbol, max(trades) AS most FROM daily WHERE {where} GROUP BY symbol) AS best
    ON told.symbol = best.symbol AND told.trades = best.most
