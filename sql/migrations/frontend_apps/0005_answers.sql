-- What was answered to a write that carried a key: the same key and request get it again instead of a second effect.
CREATE SCHEMA kernel;
GRANT USAGE ON SCHEMA kernel TO app_kernel;

CREATE TABLE kernel.answers (
    service text NOT NULL,
    caller text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,                             -- of method, path, query and body
    claim uuid NOT NULL,                                    -- whose work it is
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status integer,                                         -- null: nobody has answered yet
    headers jsonb,
    body bytea,
    PRIMARY KEY (service, caller, key)
);
CREATE INDEX answers_claimed_at ON kernel.answers (claimed_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON kernel.answers TO app_kernel;
