"""The B3 market data service, port 3302."""
