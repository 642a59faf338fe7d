-- What a source says that a session was: sums of a symbol's trades, cancelled ones left out. The ledger holds the tape
-- against the final ones.
CREATE TABLE tape_references (
    symbol text NOT NULL,
    session date NOT NULL,          -- that the trades belong to
    source text NOT NULL,           -- b3, or b3-after: after-market trades, which the next session's file brings
    trades bigint NOT NULL,
    quantity bigint NOT NULL,
    turnover numeric NOT NULL,      -- sum of price x quantity, exact
    final boolean NOT NULL,         -- of the whole session, not a snapshot
    as_of timestamptz NOT NULL,     -- up to when the source shows it; of a final one when it was read
    file text NOT NULL,
    PRIMARY KEY (symbol, session, source)
);
