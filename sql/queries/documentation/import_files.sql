-- Rows that are not there and never were: what somebody deleted stays deleted.
-- A file name that is taken stays with who has it.
WITH given AS (
    SELECT * FROM jsonb_populate_recordset(NULL::documentation.documentation_files, %(records)s::jsonb)
), made AS (
    INSERT INTO documentation.documentation_files (id, filename, original_name, mime_type, size_bytes, content,
        description, idea_id, system_id, uploaded_by, is_public, download_count, checksum, created_at, updated_at)
    SELECT id, filename, original_name, mime_type, size_bytes, content, description,
        (SELECT held.id FROM documentation.documentation_ideas AS held WHERE held.id = given.idea_id),
        (SELECT held.id FROM documentation.documentation_systems AS held WHERE held.id = given.system_id),
        uploaded_by, is_public, download_count, checksum, created_at, updated_at
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM documentation.documentation_audit_log AS told
        WHERE told.entity_type = 'files' AND told.entity_id = given.id::text
    )
    ON CONFLICT DO NOTHING
    RETURNING *
), told AS (
    INSERT INTO documentation.documentation_audit_log (entity_type, entity_id, action, user_id, changes)
    SELECT 'files', id::text, 'created', %(by)s, jsonb_build_object('after', to_jsonb(made) - 'search' - 'content')
    FROM made
)
SELECT id FROM made
