INSERT INTO access.audit_log (actor, action, object, before, after, address)
VALUES (%(actor)s, %(action)s, %(object)s, %(before)s::jsonb, %(after)s::jsonb, %(address)s)
