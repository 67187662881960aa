-- $1 tenant, $2 quiz. Always one row.
SELECT (SELECT count(DISTINCT question_id) FROM session_questions
        WHERE tenant_id = $1 AND quiz_id = $2 AND publications > 0) AS questions,
       coalesce(sum(f.graded), 0)::bigint AS graded,
       coalesce(sum(f.correct), 0)::bigint AS correct,
       coalesce((SELECT roster_students FROM quiz_engagement WHERE tenant_id = $1 AND quiz_id = $2), 0)
           AS roster_students,
       coalesce((SELECT active_students FROM quiz_engagement WHERE tenant_id = $1 AND quiz_id = $2), 0)
           AS active_students
FROM session_figures f
WHERE f.tenant_id = $1 AND f.quiz_id = $2 AND f.publications > 0
