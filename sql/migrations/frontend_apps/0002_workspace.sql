-- Items of the workspace and what became of each of them. Keys hold `created_at`, because a hypertable's must; where
-- TimescaleDB is not there an index keeps ids unique, where it is the ids' randomness and the import's lock do.
SET search_path = workspace, public;

CREATE TABLE workspace_items (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 255),
    description text,
    category text NOT NULL CHECK (category IN
        ('documentacao', 'coleta-dados', 'banco-dados', 'analise-dados', 'gestao-riscos', 'dashboard')),
    priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'review', 'in-progress', 'completed', 'rejected')),
    tags text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by text CHECK (length(created_by) <= 100),
    updated_by text CHECK (length(updated_by) <= 100),
    metadata jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (id, created_at)
);

CREATE TABLE workspace_audit_log (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    item_id uuid NOT NULL,
    action text NOT NULL CHECK (action IN ('created', 'updated', 'deleted', 'status_changed')),
    old_values jsonb,
    new_values jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text,
    ip_address inet,
    PRIMARY KEY (id, created_at)
);

CREATE INDEX workspace_items_newest ON workspace_items (created_at DESC, id DESC);
CREATE INDEX workspace_items_updated ON workspace_items (updated_at DESC);
CREATE INDEX workspace_items_category ON workspace_items (category, status, created_at DESC);
CREATE INDEX workspace_items_priority ON workspace_items (priority, status, created_at DESC);
CREATE INDEX workspace_items_status ON workspace_items (status, created_at DESC);
CREATE INDEX workspace_items_author ON workspace_items (created_by);
CREATE INDEX workspace_items_tags ON workspace_items USING gin (tags);
CREATE INDEX workspace_audit_item ON workspace_audit_log (item_id, created_at DESC);
CREATE INDEX workspace_audit_newest ON workspace_audit_log (created_at DESC);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE INDEX workspace_items_id ON workspace_items (id);
        PERFORM create_hypertable('workspace_items', by_range('created_at', INTERVAL '1 month'),
            create_default_indexes => false);
        PERFORM create_hypertable('workspace_audit_log', by_range('created_at', INTERVAL '1 day'),
            create_default_indexes => false);
    ELSE
        CREATE UNIQUE INDEX workspace_items_id ON workspace_items (id);
    END IF;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON workspace_items TO app_workspace;
GRANT SELECT, INSERT ON workspace_audit_log TO app_workspace;
RESET search_path;
