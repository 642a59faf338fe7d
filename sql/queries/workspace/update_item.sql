-- The version moves on even when the clock does not.
UPDATE workspace.workspace_items
SET title = %(title)s, description = %(description)s, category = %(category)s, priority = %(priority)s,
    status = %(status)s, tags = %(tags)s, updated_by = %(by)s,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
WHERE id = %(id)s
RETURNING id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata
