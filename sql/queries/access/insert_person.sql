INSERT INTO access.people (id, name, role, password_hash, created_by)
VALUES (%(id)s, %(name)s, %(role)s, %(password_hash)s, %(actor)s)
RETURNING id, name, role, active, created_at, created_by, changed_at, last_login_at
