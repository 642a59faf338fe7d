-- What hot holds of ticks, by UTC day. Times in microseconds, sizes in bytes.
SELECT name AS day, numRows AS rows, diskSize AS bytes, minTimestamp AS first_ts, maxTimestamp AS last_ts
FROM table_partitions('ticks')
WHERE attached AND numRows > 0
