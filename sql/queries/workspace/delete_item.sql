DELETE FROM workspace.workspace_items
WHERE id = %(id)s
