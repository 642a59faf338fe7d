SELECT id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata
FROM workspace.workspace_items
WHERE id = %(id)s
