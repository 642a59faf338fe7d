-- Rows that are not there and never were: what somebody deleted stays deleted.
-- A system that is not there any more is left out.
WITH given AS (
    SELECT * FROM jsonb_populate_recordset(NULL::documentation.documentation_links, %(records)s::jsonb)
), made AS (
    INSERT INTO documentation.documentation_links (id, title, url, description, system_id, tags, metadata, created_by, created_at, updated_at)
    SELECT id, title, url, description,
        (SELECT held.id FROM documentation.documentation_systems AS held WHERE held.id = given.system_id),
        tags, metadata, created_by, created_at, updated_at
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM documentation.documentation_audit_log AS told
        WHERE told.entity_type = 'links' AND told.entity_id = given.id::text
    )
    ON CONFLICT DO NOTHING
    RETURNING *
), told AS (
    INSERT INTO documentation.documentation_audit_log (entity_type, entity_id, action, user_id, changes)
    SELECT 'links', id::text, 'created', %(by)s, jsonb_build_object('after', to_jsonb(made) - 'search') FROM made
)
SELECT id FROM made
