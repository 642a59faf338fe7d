-- Items that are not there and never were: what somebody deleted stays deleted.
WITH given AS (
    SELECT *
    FROM jsonb_to_recordset(%(records)s::jsonb) AS record (
        id uuid, title text, description text, category text, priority text, status text, tags text[],
        created_at timestamptz, updated_at timestamptz, created_by text, updated_by text, metadata jsonb
    )
), made AS (
    INSERT INTO workspace.workspace_items (id, title, description, category, priority, status, tags, created_at,
        updated_at, created_by, updated_by, metadata)
    SELECT id, title, description, category, priority, status, tags, created_at,
        updated_at, created_by, updated_by, metadata
    FROM given
    WHERE NOT EXISTS (SELECT FROM workspace.workspace_items AS held WHERE held.id = given.id)
      AND NOT EXISTS (SELECT FROM workspace.workspace_audit_log AS told WHERE told.item_id = given.id)
    RETURNING *
), told AS (
    INSERT INTO workspace.workspace_audit_log (item_id, action, new_values, created_by)
    SELECT id, 'created', to_jsonb(made), %(by)s FROM made
)
SELECT id FROM made
