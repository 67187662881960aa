-- $1 tenant, $2 classroom, $3 to $4 the window, $5 the start of the one before it.
-- One row at least, for the roster; of each window only if a session started in it.
SELECT r.roster_students, e.period >= $3 AS is_current,
       coalesce(e.active_students, 0) AS active_students,
       coalesce(e.graded, 0) AS graded, coalesce(e.correct, 0) AS correct,
       coalesce(e.questions, 0) AS questions,
       coalesce(e.answerable, 0) AS answerable, coalesce(e.answered, 0) AS answered
FROM (SELECT count(*) AS roster_students FROM classroom_students WHERE tenant_id = $1 AND classroom_id = $2) AS r
LEFT JOIN classroom_engagement($1, $2, $5, $3, $4, false) AS e ON true
