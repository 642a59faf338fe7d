SELECT id, name, scopes, source, created_at, created_by, expires_at, revoked_at, revoked_by, last_used_at
FROM access.api_keys
ORDER BY created_at DESC, id
