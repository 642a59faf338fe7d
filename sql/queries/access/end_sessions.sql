UPDATE access.sessions SET ended_at = now() WHERE person = %(person)s AND ended_at IS NULL
