SELECT id, name, hash, scopes, source,
       revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS good,
       last_used_at IS NULL OR last_used_at < now() - interval '1 minute' AS worth_noting
FROM access.api_keys
WHERE id = %(id)s
