-- Sizes below 1, 10 and 100 MB, and above.
SELECT mime_type, coalesce(uploaded_by, 'anonymous') AS uploaded_by, is_public,
    CASE WHEN size_bytes < 1048576 THEN 'small' WHEN size_bytes < 10485760 THEN 'medium'
        WHEN size_bytes < 104857600 THEN 'large' ELSE 'xlarge' END AS size,
    count(*) AS files, sum(size_bytes)::bigint AS bytes, sum(download_count)::bigint AS downloads,
    count(idea_id) AS of_ideas
FROM documentation.documentation_files
GROUP BY 1, 2, 3, 4
