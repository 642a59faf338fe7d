"""Orders: from a wish to the broker and back, under risk, journal and kill switch."""
