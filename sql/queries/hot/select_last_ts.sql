-- Newest time of a symbol, found from the end. Parameter: symbol.
SELECT ts FROM ticks WHERE symbol = %s LATEST ON ts PARTITION BY symbol
