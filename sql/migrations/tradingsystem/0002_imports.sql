-- Which B3 files are on the tape. A file that shows less of a session than one in here is refused.
CREATE TABLE imports (
    session date NOT NULL,          -- DataReferencia of the file
    scope text NOT NULL,            -- an instrument, or * for the file of all instruments
    sha256 text NOT NULL,           -- of the file as it was given
    as_of timestamptz NOT NULL,     -- up to when the file shows the session; for a final one its import
    final boolean NOT NULL,
    file text NOT NULL,
    lines bigint NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session, scope, sha256)
);
