UPDATE access.people
SET role = coalesce(%(role)s, role), active = coalesce(%(active)s, active),
    password_hash = coalesce(%(password_hash)s, password_hash), changed_at = now()
WHERE id = %(id)s
RETURNING id, name, role, active, created_at, created_by, changed_at, last_login_at
