-- Last valid price of each symbol. Parameter: since (bounds the backward scan for symbols that no longer trade).
SELECT symbol, ts, price, quantity FROM ticks
WHERE ts >= %s AND (flags & 1) = 0
LATEST ON ts PARTITION BY symbol
