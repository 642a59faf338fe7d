INSERT INTO access.api_keys (id, name, hash, scopes, source, created_by, expires_at)
VALUES (%(id)s, %(name)s, %(hash)s, %(scopes)s, %(source)s, %(actor)s, %(expires_at)s)
RETURNING id, name, scopes, source, created_at, created_by, expires_at, revoked_at, revoked_by, last_used_at
