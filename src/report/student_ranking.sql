, placed AS (
    SELECT f.*, coalesce(s.name, 'Unknown') AS student_name,
           -- Whole numbers, so that equal fractions are equal.
           coalesce(div(f.correct * 1e18, nullif(f.graded, 0)), 0) AS accuracy,
           div(f.latency_us * 1e12, nullif(f.timed, 0)) AS mean_latency
    FROM figures f
    LEFT JOIN students s ON s.tenant_id = $1 AND s.student_id = f.student_id
),
ranked AS (
    SELECT *,
           rank() OVER (ORDER BY accuracy DESC, answers DESC) AS rank,
           row_number() OVER (ORDER BY accuracy DESC, answers DESC, mean_latency NULLS LAST,
                                       student_name COLLATE "C", student_id) AS place
    FROM placed
)
SELECT t.total, r.student_id IS NOT NULL AS is_listed, r.student_id, r.student_name, r.answers, r.graded, r.correct,
       r.timed, r.latency_us, r.sessions, r.rank
FROM (SELECT count(*) AS total FROM figures) AS t
LEFT JOIN (SELECT * FROM ranked ORDER BY place LIMIT $3 OFFSET $4) AS r ON true
ORDER BY r.place
