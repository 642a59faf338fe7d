-- The item as it is now; nobody else changes it before the transaction ends.
SELECT id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata
FROM workspace.workspace_items
WHERE id = %(id)s
FOR UPDATE
