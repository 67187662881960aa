-- The next sessions in the order of their keys, and what is stored of sessions that are not there: each branch gives its
-- first ones, so the first of all are among them.
WITH keys AS (
    (SELECT tenant_id, session_id FROM sessions
     WHERE (tenant_id, session_id) > ($1, $2) AND tenant_id <= $3
     ORDER BY tenant_id, session_id LIMIT $4)
    UNION
    (SELECT tenant_id, session_id FROM stored_session_figures
     WHERE (tenant_id, session_id) > ($1, $2) AND tenant_id <= $3
     ORDER BY tenant_id, session_id LIMIT $4)
    UNION
    (SELECT DISTINCT tenant_id, session_id FROM stored_session_questions
     WHERE (tenant_id, session_id) > ($1, $2) AND tenant_id <= $3
     ORDER BY tenant_id, session_id LIMIT $4)
    UNION
    (SELECT DISTINCT tenant_id, session_id FROM stored_session_students
     WHERE (tenant_id, session_id) > ($1, $2) AND tenant_id <= $3
     ORDER BY tenant_id, session_id LIMIT $4)
    ORDER BY tenant_id, session_id
    LIMIT $4
)
SELECT k.tenant_id, k.session_id, s.facts_version, r.of_version, z.session_id IS NOT NULL AS is_marked
FROM keys k
LEFT JOIN sessions s USING (tenant_id, session_id)
LEFT JOIN stored_session_figures r USING (tenant_id, session_id)
LEFT JOIN stale_sessions z USING (tenant_id, session_id)
ORDER BY k.tenant_id, k.session_id
