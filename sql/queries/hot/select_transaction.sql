-- State of the table: visible rows, last transaction shown, rows taken but not yet shown.
SELECT table_row_count AS rows, table_txn AS txn, wal_txn AS taken, wal_pending_row_count AS pending,
    table_max_timestamp AS last_ts, table_suspended AS suspended
FROM tables() WHERE table_name = 'ticks'
