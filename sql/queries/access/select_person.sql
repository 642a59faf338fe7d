SELECT id, name, role, active, created_at, created_by, changed_at, last_login_at, password_hash
FROM access.people
WHERE name = %(name)s
