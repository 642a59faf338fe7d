-- Rows that are not there and never were: what somebody deleted stays deleted.
-- A name that another system has stays with it.
WITH given AS (
    SELECT * FROM jsonb_populate_recordset(NULL::documentation.documentation_systems, %(records)s::jsonb)
), made AS (
    INSERT INTO documentation.documentation_systems (id, name, description, type, url, status, last_checked, response_time_ms, version, owner, tags, metadata, icon,
        color, host, port, created_by, created_at, updated_at)
    SELECT id, name, description, type, url, status, last_checked, response_time_ms, version, owner, tags,
        metadata, icon, color, host, port, created_by, created_at, updated_at
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM documentation.documentation_audit_log AS told
        WHERE told.entity_type = 'systems' AND told.entity_id = given.id::text
    )
    ON CONFLICT DO NOTHING
    RETURNING *
), told AS (
    INSERT INTO documentation.documentation_audit_log (entity_type, entity_id, action, user_id, changes)
    SELECT 'systems', id::text, 'created', %(by)s, jsonb_build_object('after', to_jsonb(made) - 'search') FROM made
)
SELECT id FROM made
