-- $1 tenant, $2 quiz, $3 now. Always one row.
WITH held AS MATERIALIZED (
    SELECT * FROM session_attendance WHERE tenant_id = $1 AND quiz_id = $2
)
SELECT coalesce((SELECT title FROM quizzes WHERE tenant_id = $1 AND quiz_id = $2), '') AS title,
       count(*) AS sessions,
       count(DISTINCT h.classroom_id) AS classrooms,
       (SELECT count(DISTINCT student_id) FROM session_students WHERE tenant_id = $1 AND quiz_id = $2) AS students,
       (SELECT count(DISTINCT p.question_id)
        FROM sessions s
        JOIN publications p USING (tenant_id, session_id)
        WHERE s.tenant_id = $1 AND s.quiz_id = $2) AS questions,
       min(h.started_at) FILTER (WHERE h.started_at <= $3) AS first_used,
       max(h.started_at) FILTER (WHERE h.started_at <= $3) AS last_used,
       coalesce(sum(h.graded), 0)::bigint AS graded,
       coalesce(sum(h.correct), 0)::bigint AS correct,
       -- Thirds that add up to a whole must do so before the rounding that shows: hence the first rounding.
       coalesce(round(round(
           avg(100.0 * h.completed_students / h.roster_students)
               FILTER (WHERE h.publications > 0 AND h.roster_students > 0), 12), 2) * 100, 0)::bigint
           AS completion_hundredths,
       coalesce(max(e.roster_students), 0) AS roster_students,
       coalesce(max(e.active_students), 0) AS active_students
FROM held h
LEFT JOIN quiz_engagement e ON e.tenant_id = $1 AND e.quiz_id = $2
