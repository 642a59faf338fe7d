-- A page of the items that fit; a filter that is NULL lets all through.
SELECT id, title, description, category, priority, status, tags, created_at, updated_at, created_by, updated_by, metadata
FROM workspace.workspace_items
WHERE (%(category)s::text IS NULL OR category = %(category)s)
  AND (%(priority)s::text IS NULL OR priority = %(priority)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(tag)s::text IS NULL OR tags @> ARRAY[%(tag)s::text])
  AND (%(created_by)s::text IS NULL OR created_by = %(created_by)s)
  AND (%(search)s::text IS NULL OR strpos(lower(concat_ws(' ', title, description)), lower(%(search)s)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s OFFSET %(offset)s
