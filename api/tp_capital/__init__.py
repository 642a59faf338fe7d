"""TP-Capital: what channels of Telegram recommend, as signals; the bots and channels that are known."""
