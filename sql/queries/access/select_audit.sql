SELECT id, at, actor, action, object, before, after, address
FROM access.audit_log
WHERE id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s
