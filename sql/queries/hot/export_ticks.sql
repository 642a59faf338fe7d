-- A range in key order, for an export: those take no parameters, so {where} holds typed literals.
SELECT ts, symbol, session, trade_id, price, quantity, aggressor, buyer, seller, flags, received_at, source FROM ticks WHERE {where} ORDER BY ts, symbol, session, trade_id
