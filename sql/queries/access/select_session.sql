SELECT p.id AS person, p.name, p.role, p.active AND s.ended_at IS NULL AND s.expires_at > now() AS good
FROM access.sessions s JOIN access.people p ON p.id = s.person
WHERE s.id = %(id)s
