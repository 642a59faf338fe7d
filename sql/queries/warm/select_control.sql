-- How far the sync of ticks came, and retention's floor of hot.
SELECT last_synced, updated_at, hot_txn, hot_from FROM sync_control WHERE stream = 'ticks'
