-- $1 tenant, $2 session, $3 window start, $4 now, $5 page size, $6 offset.
-- One row at least, so that the totals are there for a page past the end, too.
WITH participants AS (
    SELECT student_id,
           count(*) FILTER (WHERE is_correct) AS correct,
           count(is_correct) AS graded,
           max(submitted_at) AS last_at
    FROM effective_answers
    WHERE tenant_id = $1 AND session_id = $2 AND submitted_at BETWEEN $3 AND $4
    GROUP BY student_id
),
totals AS (
    SELECT count(*) AS total,
           -- Thirds that add up to a whole must do so before the rounding that shows: hence the first rounding.
           coalesce(round(round(avg(CASE WHEN graded = 0 THEN 0 ELSE 100.0 * correct / graded END), 12), 2) * 100, 0)::bigint
               AS average_hundredths
    FROM participants
),
page AS (
    SELECT * FROM participants ORDER BY last_at DESC, student_id LIMIT $5 OFFSET $6
)
SELECT total, average_hundredths, student_id, coalesce(correct, 0) AS correct, coalesce(graded, 0) AS graded
FROM totals LEFT JOIN page ON true
ORDER BY last_at DESC, student_id
