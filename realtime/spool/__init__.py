"""The spool: append-only, checksummed segments between the ring and whatever stores, and evidence afterwards."""
