, page AS (
    SELECT * FROM listed ORDER BY started_at DESC NULLS LAST, session_id LIMIT $3 OFFSET $4
)
SELECT t.total, p.session_id IS NOT NULL AS is_listed, p.session_id, p.started_at,
       coalesce(q.title, '') AS quiz_title,
       coalesce(c.name, '') AS classroom_name,
       extract(epoch FROM p.ended_at - p.started_at)::text || ' seconds' AS duration,
       a.roster_students, a.participating_students, a.completed_students, a.published_questions, a.graded, a.correct
FROM (SELECT count(*) AS total FROM listed) AS t
LEFT JOIN page p ON true
LEFT JOIN quizzes q USING (tenant_id, quiz_id)
LEFT JOIN classrooms c USING (tenant_id, classroom_id)
LEFT JOIN LATERAL (
    SELECT * FROM session_attendance d WHERE d.tenant_id = $1 AND d.session_id = p.session_id OFFSET 0
) AS a ON true
ORDER BY p.started_at DESC NULLS LAST, p.session_id
