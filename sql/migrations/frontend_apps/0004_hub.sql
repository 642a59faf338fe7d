-- Pages of the Hub and parts of the API documents, found by Portuguese and English words; versions of those documents.

CREATE TABLE documentation.documentation_pages (
    path text PRIMARY KEY,
    title text NOT NULL,
    domain text NOT NULL,
    type text NOT NULL,
    tags jsonb NOT NULL DEFAULT '[]',
    status text NOT NULL DEFAULT 'active',
    summary text NOT NULL,
    body text NOT NULL,
    search tsvector GENERATED ALWAYS AS (documentation.searchable(title, tags, body)) STORED
);
CREATE INDEX ON documentation.documentation_pages USING gin (search);

-- One row for each time that the pages were read: how many there were, what was wrong with them, how good that makes them.
CREATE TABLE documentation.documentation_page_reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reviewed_at timestamptz NOT NULL DEFAULT now(),
    fingerprint text NOT NULL,
    pages integer NOT NULL,
    score double precision NOT NULL,
    issues jsonb NOT NULL
);

CREATE TABLE documentation.documentation_spec_entries (
    id text PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('endpoint', 'schema', 'channel', 'message')),
    source text NOT NULL CHECK (source IN ('openapi', 'asyncapi', 'schema')),
    title text NOT NULL,
    description text NOT NULL,
    path text,
    method text,
    search tsvector GENERATED ALWAYS AS
        (documentation.searchable(title || ' ' || coalesce(path, ''), '[]', description)) STORED
);
CREATE INDEX ON documentation.documentation_spec_entries USING gin (search);

CREATE TABLE documentation.documentation_spec_versions (
    version text PRIMARY KEY CHECK (version ~ '^\d+\.\d+\.\d+$'),
    type text NOT NULL CHECK (type IN ('major', 'minor', 'patch')),
    openapi jsonb NOT NULL,
    asyncapi jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON documentation.documentation_pages, documentation.documentation_spec_entries
    TO app_documentation;
GRANT SELECT, INSERT ON documentation.documentation_page_reviews, documentation.documentation_spec_versions
    TO app_documentation;
