SELECT s.refresh_hash, s.previous_hash, s.refreshed_at > now() - interval '10 seconds' AS just_now, p.id AS person,
       p.name, p.role, p.active AND s.ended_at IS NULL AND s.expires_at > now() AS good
FROM access.sessions s JOIN access.people p ON p.id = s.person
WHERE s.id = %(id)s
FOR UPDATE OF s
