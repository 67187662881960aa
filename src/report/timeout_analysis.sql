-- $1 tenant, $2 session, $3 question, $4 now. Always one row.
WITH last_round AS (
    -- No row for a question that was never published, so nobody is a member below.
    SELECT (SELECT first_published_at FROM published_questions
            WHERE tenant_id = $1 AND session_id = $2 AND question_id = $3) AS first_published_at,
           CASE WHEN p.timer_sec IS NULL THEN coalesce(s.ended_at < $4, false)
                ELSE p.published_at + make_interval(secs => p.timer_sec) < $4 END AS is_closed
    FROM publications p
    JOIN sessions s USING (tenant_id, session_id)
    WHERE p.tenant_id = $1 AND p.session_id = $2 AND p.question_id = $3
    ORDER BY p.published_at DESC, p.event_id DESC
    LIMIT 1
),
members AS (
    SELECT l.is_closed,
           coalesce(bool_or(a.question_id = $3), false) AS has_answered,
           coalesce(bool_or(a.submitted_at >= l.first_published_at), false) AS was_present
    FROM last_round l
    CROSS JOIN session_rosters r
    LEFT JOIN answers a ON (a.tenant_id, a.session_id, a.student_id) = (r.tenant_id, r.session_id, r.student_id)
    WHERE r.tenant_id = $1 AND r.session_id = $2
    GROUP BY l.is_closed, r.student_id
)
SELECT count(*) AS students,
       count(*) FILTER (WHERE NOT has_answered AND is_closed AND NOT was_present) AS timeouts,
       count(*) FILTER (WHERE NOT has_answered AND is_closed AND was_present) AS skipped,
       count(*) FILTER (WHERE NOT has_answered AND NOT is_closed) AS pending
FROM members
