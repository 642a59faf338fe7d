SELECT id, name, role, active, created_at, created_by, changed_at, last_login_at
FROM access.people
WHERE name = %(name)s
FOR UPDATE
