-- Who may call: keys of programs, people with their sessions, and the audit of what was changed about them.
-- No secret is stored: keys and refresh tokens as SHA-256 (256 random bits each), passwords as Argon2id.
CREATE SCHEMA access;

CREATE TABLE access.api_keys (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),      -- stands in the key itself
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    source text CHECK (source IN ('agent', 'telegram', 'strategy', 'scheduler')),   -- null: bound to none
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    last_used_at timestamptz                                -- to the minute
);
CREATE UNIQUE INDEX api_keys_name ON access.api_keys (name) WHERE revoked_at IS NULL;

CREATE TABLE access.people (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._-]{1,63}$'),
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'trader', 'admin')),
    password_hash text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    changed_at timestamptz,
    last_login_at timestamptz
);

CREATE TABLE access.sessions (
    id uuid PRIMARY KEY,
    person uuid NOT NULL REFERENCES access.people (id),
    refresh_hash bytea NOT NULL CHECK (octet_length(refresh_hash) = 32),
    previous_hash bytea,                                    -- spent: whoever brings it late ends the session
    refreshed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    address text
);
CREATE INDEX sessions_person ON access.sessions (person) WHERE ended_at IS NULL;

CREATE TABLE access.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb,
    address text
);

-- The gate of every process reads and notes that a key was used; the gateway alone changes, and nobody rewrites the audit.
GRANT USAGE ON SCHEMA access TO access_gate, app_access;
GRANT SELECT ON access.api_keys, access.sessions TO access_gate;
GRANT SELECT (id, name, role, active) ON access.people TO access_gate;
GRANT UPDATE (last_used_at) ON access.api_keys TO access_gate;
GRANT SELECT, INSERT ON access.api_keys, access.people, access.sessions, access.audit_log TO app_access;
GRANT UPDATE (revoked_at, revoked_by) ON access.api_keys TO app_access;
GRANT UPDATE (role, password_hash, active, changed_at, last_login_at) ON access.people TO app_access;
GRANT UPDATE (refresh_hash, previous_hash, refreshed_at, ended_at) ON access.sessions TO app_access;
