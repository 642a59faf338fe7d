INSERT INTO workspace.workspace_audit_log (item_id, action, old_values, new_values, created_by, ip_address)
VALUES (%(item_id)s, %(action)s, %(old)s::jsonb, %(new)s::jsonb, %(by)s, %(address)s::inet)
