UPDATE access.sessions SET refresh_hash = %(hash)s, previous_hash = refresh_hash, refreshed_at = now()
WHERE id = %(id)s
