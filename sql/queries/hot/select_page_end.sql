-- Time of the last row that a page can need, so that only this stretch is sorted and not the whole range.
-- Parameters: time after which, until, the symbol if one is chosen, number of rows before the last, number of rows.
SELECT ts FROM ticks
WHERE ts > %s AND ts < %s {symbol}
ORDER BY ts
LIMIT %s, %s
