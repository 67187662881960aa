-- $1 tenant, $2 classroom; $3 to $4 the window, $5 to $6 the one before it.
-- The current window always has a row, for the roster; the one before only if a session started in it.
WITH roster AS (
    SELECT count(*) AS roster_students FROM classroom_students WHERE tenant_id = $1 AND classroom_id = $2
)
SELECT true AS is_current, r.roster_students,
       coalesce(e.active_students, 0) AS active_students,
       coalesce(e.graded, 0) AS graded, coalesce(e.correct, 0) AS correct,
       coalesce(e.questions, 0) AS questions,
       coalesce(e.answerable, 0) AS answerable, coalesce(e.answered, 0) AS answered
FROM roster r
LEFT JOIN classroom_engagement($1, $2, $3, $4, false) AS e ON true
UNION ALL
SELECT false, r.roster_students, e.active_students, e.graded, e.correct, e.questions, e.answerable, e.answered
FROM roster r, classroom_engagement($1, $2, $5, $6, false) AS e
