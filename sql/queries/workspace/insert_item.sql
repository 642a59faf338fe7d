-- One new item and the first word of its story.
WITH made AS (
    INSERT INTO workspace.workspace_items (title, description, category, priority, tags, created_by)
    VALUES (%(title)s, %(description)s, %(category)s, %(priority)s, %(tags)s, %(by)s)
    RETURNING id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata
), told AS (
    INSERT INTO workspace.workspace_audit_log (item_id, action, new_values, created_by, ip_address)
    SELECT id, 'created', to_jsonb(made), %(by)s, %(address)s::inet FROM made
)
SELECT id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata
FROM made
