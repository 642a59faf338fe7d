"""The capture and order process: market data in, orders out."""
