INSERT INTO access.sessions (id, person, refresh_hash, expires_at, address)
VALUES (%(id)s, %(person)s, %(hash)s, now() + make_interval(secs => %(seconds)s), %(address)s)
