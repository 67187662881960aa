-- $1 tenant, $2 classroom, $3 page size, $4 offset.
-- One row at least, so that the total is there for a page past the end, too. Collation C is the order of code points.
WITH roster AS (
    SELECT e.student_id, coalesce(s.name, 'Unknown') AS student_name
    FROM classroom_students e
    JOIN students s USING (tenant_id, student_id)
    WHERE e.tenant_id = $1 AND e.classroom_id = $2
),
page AS (
    SELECT * FROM roster ORDER BY student_name COLLATE "C", student_id LIMIT $3 OFFSET $4
)
SELECT t.total, p.student_id, coalesce(p.student_name, '') AS student_name,
       coalesce(f.answers, 0) AS answers, coalesce(f.graded, 0) AS graded, coalesce(f.correct, 0) AS correct,
       coalesce(f.timed, 0) AS timed, coalesce(f.latency_us, 0) AS latency_us
FROM (SELECT count(*) AS total FROM roster) AS t
LEFT JOIN page p ON true
LEFT JOIN classroom_student_figures f
       ON f.tenant_id = $1 AND f.classroom_id = $2 AND f.student_id = p.student_id
ORDER BY p.student_name COLLATE "C", p.student_id
