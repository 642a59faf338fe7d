-- How far the journal of orders went when it was last proven: a tail that is cut there shows here.
CREATE TABLE journal_heads (
    journal text PRIMARY KEY,               -- the name that follows from its key
    number bigint NOT NULL,                 -- of the last record
    mac text NOT NULL,                      -- its hash
    at timestamptz NOT NULL                 -- when it was told
);
CREATE FUNCTION journal_heads_grow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF TG_OP = 'DELETE' OR NEW.journal <> OLD.journal OR NEW.number < OLD.number
       OR (NEW.number = OLD.number AND NEW.mac <> OLD.mac) THEN
        RAISE EXCEPTION 'the head of a journal only grows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_heads_grow BEFORE UPDATE OR DELETE ON journal_heads
    FOR EACH ROW EXECUTE FUNCTION journal_heads_grow();

-- Files of the journal that are not written any more, and what became of their records.
CREATE TABLE journal_segments (
    journal text NOT NULL,
    first_number bigint NOT NULL,
    last_number bigint NOT NULL,
    mac text NOT NULL,                      -- hash of the last record
    first_at timestamptz NOT NULL,          -- when its first record was written
    last_at timestamptz NOT NULL,
    shipped_at timestamptz NOT NULL,        -- when hot had all of it
    proven_at timestamptz,                  -- when all tiers were proven to hold it: its days of keeping begin
    removed_at timestamptz,
    PRIMARY KEY (journal, first_number)
);
