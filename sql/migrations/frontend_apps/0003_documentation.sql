-- Documentation: systems, ideas, links, files, and who changed what; found by Portuguese and English words.

-- Lower case without accents: the embedded build has no unaccent.
CREATE FUNCTION documentation.plain(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(lower($1), 'áàâãäéèêëíìîïóòôõöúùûüçñ', 'aaaaaeeeeiiiiooooouuuucn');

-- Words of a text as both languages stem them, and as they stand.
CREATE FUNCTION documentation.words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('portuguese'::regconfig, coalesce($1, '')) || to_tsvector('english'::regconfig, coalesce($1, ''))
    || to_tsvector('simple'::regconfig, regexp_replace(documentation.plain(coalesce($1, '')), '[^[:alnum:]]+', ' ', 'g'));

-- A heading weighs more than tags, tags more than the text below.
CREATE FUNCTION documentation.searchable(heading text, tags jsonb, body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(documentation.words(heading), 'A')
    || setweight(documentation.words(translate(tags::text, '[]",', '    ')), 'B')
    || setweight(documentation.words(body), 'C');

-- What people type: stemmed in both languages, or every word of it as the beginning of one.
CREATE FUNCTION documentation.asked(text) RETURNS tsquery LANGUAGE sql STABLE PARALLEL SAFE
RETURN websearch_to_tsquery('portuguese'::regconfig, $1) || websearch_to_tsquery('english'::regconfig, $1) || coalesce((
    SELECT to_tsquery('simple'::regconfig, string_agg(word || ':*', ' & '))
    FROM regexp_split_to_table(documentation.plain($1), '[^[:alnum:]]+') AS word WHERE word <> ''), ''::tsquery);

-- The passage that was found, what matches between U+E000 and U+E001; the caller escapes the rest and writes the marks.
CREATE FUNCTION documentation.passage(body text, asked tsquery) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    language regconfig;
    found text;
BEGIN
    FOREACH language IN ARRAY ARRAY['portuguese', 'english', 'simple']::regconfig[] LOOP
        found := ts_headline(language, body, asked, E'StartSel=\uE000, StopSel=\uE001, MaxWords=30, MinWords=10');
        EXIT WHEN strpos(found, E'\uE000') > 0;
    END LOOP;
    RETURN found;
END $$;

CREATE TABLE documentation.documentation_systems (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL UNIQUE,
    description text,
    type varchar(100) NOT NULL CHECK (type IN ('api', 'webapp', 'docs', 'tool', 'unknown')),
    url varchar(512),
    status varchar(50) NOT NULL DEFAULT 'unknown'
        CHECK (status IN ('online', 'offline', 'error', 'unknown', 'degraded', 'planned')),
    last_checked timestamptz,
    response_time_ms integer,
    version varchar(100),
    owner varchar(255),
    tags jsonb NOT NULL DEFAULT '[]',
    metadata jsonb,
    icon varchar(255),
    color varchar(255),
    host varchar(255),
    port integer CHECK (port BETWEEN 1 AND 65535),
    endpoint_count integer,
    channel_count integer,
    created_by varchar(255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    search tsvector GENERATED ALWAYS AS (documentation.searchable(name, tags, description)) STORED
);
CREATE INDEX ON documentation.documentation_systems (status);
CREATE INDEX ON documentation.documentation_systems (type);
CREATE INDEX ON documentation.documentation_systems (owner);
CREATE INDEX ON documentation.documentation_systems USING gin (search);

CREATE TABLE documentation.documentation_ideas (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title varchar(255) NOT NULL,
    description text,
    status varchar(50) NOT NULL DEFAULT 'backlog'
        CHECK (status IN ('backlog', 'todo', 'in_progress', 'review', 'done')),
    category varchar(100) NOT NULL
        CHECK (category IN ('new_feature', 'improvement', 'bug_fix', 'content', 'structure', 'uncategorized')),
    priority varchar(50) NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    assigned_to varchar(255),
    created_by varchar(255) NOT NULL,
    system_id uuid REFERENCES documentation.documentation_systems ON DELETE SET NULL,
    tags jsonb NOT NULL DEFAULT '[]',
    estimated_hours integer,
    actual_hours integer,
    due_date timestamptz,
    completed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    search tsvector GENERATED ALWAYS AS (documentation.searchable(title, tags, description)) STORED
);
CREATE INDEX ON documentation.documentation_ideas (status);
CREATE INDEX ON documentation.documentation_ideas (category);
CREATE INDEX ON documentation.documentation_ideas (priority);
CREATE INDEX ON documentation.documentation_ideas (assigned_to);
CREATE INDEX ON documentation.documentation_ideas (created_by);
CREATE INDEX ON documentation.documentation_ideas (system_id);
CREATE INDEX ON documentation.documentation_ideas USING gin (search);

CREATE TABLE documentation.documentation_links (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title varchar(255) NOT NULL,
    url varchar(2048) NOT NULL,
    description text,
    system_id uuid REFERENCES documentation.documentation_systems ON DELETE SET NULL,
    tags jsonb NOT NULL DEFAULT '[]',
    metadata jsonb,
    created_by varchar(255) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    search tsvector GENERATED ALWAYS AS
        (documentation.searchable(title, tags, coalesce(description, '') || ' ' || url)) STORED
);
CREATE INDEX ON documentation.documentation_links (system_id);
CREATE INDEX ON documentation.documentation_links USING gin (search);

CREATE TABLE documentation.documentation_files (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    filename varchar(255) NOT NULL UNIQUE,
    original_name varchar(255) NOT NULL,
    mime_type varchar(255) NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes = octet_length(content)),
    content bytea NOT NULL,
    file_path varchar(1024),
    description text,
    idea_id uuid REFERENCES documentation.documentation_ideas ON DELETE SET NULL,
    system_id uuid REFERENCES documentation.documentation_systems ON DELETE SET NULL,
    uploaded_by varchar(255),
    is_public boolean NOT NULL DEFAULT false,
    download_count integer NOT NULL DEFAULT 0,
    checksum varchar(255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    search tsvector GENERATED ALWAYS AS (documentation.searchable(original_name, '[]', description)) STORED
);
-- Not compressed: a part of it is read without the rest.
ALTER TABLE documentation.documentation_files ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX ON documentation.documentation_files (idea_id);
CREATE INDEX ON documentation.documentation_files (system_id);
CREATE INDEX ON documentation.documentation_files (uploaded_by);
CREATE INDEX ON documentation.documentation_files (created_at);
CREATE INDEX ON documentation.documentation_files USING gin (search);

-- What an upload sends, part by part, until the last one makes it a file; empty after each transaction.
CREATE UNLOGGED TABLE documentation.documentation_upload_parts (
    file_id uuid NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (file_id, number)
);

-- Kept for 365 days at least. No foreign key: it would go with what it is about.
CREATE TABLE documentation.documentation_audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_type varchar(50) NOT NULL,
    entity_id varchar(255) NOT NULL,
    action varchar(50) NOT NULL,
    user_id varchar(255),
    changes jsonb,
    ip_address varchar(255),
    user_agent varchar(255),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON documentation.documentation_audit_log (entity_type, entity_id);
CREATE INDEX ON documentation.documentation_audit_log (action);
CREATE INDEX ON documentation.documentation_audit_log (created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON documentation.documentation_systems, documentation.documentation_ideas,
    documentation.documentation_links, documentation.documentation_files, documentation.documentation_upload_parts
    TO app_documentation;
GRANT SELECT, INSERT ON documentation.documentation_audit_log TO app_documentation;
