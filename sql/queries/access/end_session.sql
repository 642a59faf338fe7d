UPDATE access.sessions SET ended_at = now() WHERE id = %(id)s AND ended_at IS NULL RETURNING person
