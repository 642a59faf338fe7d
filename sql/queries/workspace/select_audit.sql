-- What was done, the latest first; a filter that is NULL lets all through.
SELECT id, item_id, action, old_values, new_values, created_at, created_by, host(ip_address) AS ip_address
FROM workspace.workspace_audit_log
WHERE (%(item_id)s::uuid IS NULL OR item_id = %(item_id)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(created_by)s::text IS NULL OR created_by = %(created_by)s)
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s OFFSET %(offset)s
