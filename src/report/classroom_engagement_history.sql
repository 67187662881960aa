-- $1 tenant, $2 classroom, $3 window start, $4 now, $5 page size, $6 offset.
-- One row at least, so that the total is there for a page past the end, too.
WITH days AS (
    SELECT * FROM classroom_engagement($1, $2, $3, $3, $4, true)
),
page AS (
    SELECT * FROM days ORDER BY period DESC LIMIT $5 OFFSET $6
)
SELECT (SELECT count(*) FROM days) AS total,
       (SELECT count(*) FROM classroom_students WHERE tenant_id = $1 AND classroom_id = $2) AS roster_students,
       to_char(p.period AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
       coalesce(p.active_students, 0) AS active_students,
       coalesce(p.graded, 0) AS graded, coalesce(p.correct, 0) AS correct,
       coalesce(p.questions, 0) AS questions,
       coalesce(p.answerable, 0) AS answerable, coalesce(p.answered, 0) AS answered
FROM (SELECT) AS one
LEFT JOIN page p ON true
ORDER BY p.period DESC
