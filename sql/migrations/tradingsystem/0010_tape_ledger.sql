-- The ledger of the tape: what is missing per symbol and session, whether it is back, and whether the session is proven.
CREATE TABLE tape_sessions (
    symbol text NOT NULL,
    session date NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'proven', 'unproven')),
    reason text NOT NULL,                   -- why it is not proven, or by what it is
    captured boolean NOT NULL,              -- false: from before the first day of its capture, known by a repeat alone
    rows bigint NOT NULL,                   -- all rows, cancelled ones too
    trades bigint NOT NULL,                 -- without the cancelled ones
    quantity bigint NOT NULL,
    turnover numeric NOT NULL,              -- sum of price times quantity
    first_id bigint,
    last_id bigint,
    first_ts timestamptz,
    last_ts timestamptz,
    step bigint,                            -- between numbers; null: they follow none
    missing bigint NOT NULL,                -- numbers that are missing, as far as numbers tell
    sources text NOT NULL,
    reference_source text,                  -- daily, b3:FILE …; null: nobody told
    reference_trades bigint,
    reference_quantity bigint,
    reference_volume numeric,               -- BRL, or the turnover where the source tells that
    reference_at timestamptz,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
);
CREATE INDEX tape_sessions_session ON tape_sessions (session, symbol);

CREATE TABLE tape_gaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text NOT NULL,
    session date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('head', 'inner', 'tail')),
    first_id bigint,                        -- as found; null: no number is known
    last_id bigint,                         -- null: open, what follows the last trade
    ids bigint NOT NULL,                    -- numbers missing when it was found; 0: so many are not known
    ids_left bigint NOT NULL,               -- of these, not there now
    since timestamptz,                      -- exchange time of the trade before, and of the one after
    until timestamptz,
    found_at timestamptz NOT NULL,
    cause text NOT NULL,                    -- what happened there, as far as the relay knows
    asked integer NOT NULL DEFAULT 0,       -- history requests whose window covered it
    last_asked timestamptz,
    exhausted boolean NOT NULL DEFAULT false, -- two equal complete answers, or a final file, do not have what is left
    refused boolean NOT NULL DEFAULT false, -- nobody will answer: too far back, or denied
    state text NOT NULL CHECK (state IN ('missing', 'filled', 'vacant', 'unfillable')),
    filled_at timestamptz,
    filled_by text,                         -- history, b3:FILE
    note text NOT NULL DEFAULT ''
);
CREATE INDEX tape_gaps_session ON tape_gaps (session, symbol);
CREATE INDEX tape_gaps_unsettled ON tape_gaps (state) WHERE state IN ('missing', 'unfillable');

-- What happened to each gap, in order; never changed.
CREATE TABLE tape_gap_story (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gap bigint NOT NULL REFERENCES tape_gaps (id),
    at timestamptz NOT NULL,
    event text NOT NULL,
    words text NOT NULL
);
CREATE INDEX tape_gap_story_gap ON tape_gap_story (gap, id);
CREATE FUNCTION tape_gap_story_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the story of a gap is never changed'; END $$;
CREATE TRIGGER tape_gap_story_stays BEFORE UPDATE OR DELETE ON tape_gap_story
    FOR EACH ROW EXECUTE FUNCTION tape_gap_story_stays();

-- When market data came in, by run of the capture: what nothing was told in there did not happen.
CREATE TABLE tape_watched (
    run bigint NOT NULL,
    since timestamptz NOT NULL,             -- market data was up, host's clock
    until timestamptz NOT NULL,             -- and still was then
    PRIMARY KEY (run, since)
);
