UPDATE access.api_keys SET revoked_at = now(), revoked_by = %(actor)s
WHERE id = %(id)s AND revoked_at IS NULL
RETURNING name
