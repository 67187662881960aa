-- $1 tenant, $2 quiz, $3 page size, $4 offset. One row at least.
WITH listed AS MATERIALIZED (
    SELECT question_id FROM question_quizzes WHERE tenant_id = $1 AND quiz_id = $2
),
page AS (
    SELECT array_agg(question_id) AS question_ids
    FROM (SELECT question_id FROM listed ORDER BY question_id LIMIT $3 OFFSET $4) AS page
)
SELECT t.total, f.question_id IS NOT NULL AS is_listed, f.*
FROM (SELECT count(*) AS total FROM listed) AS t
CROSS JOIN page p
-- With a column for its argument, and not a subquery, the function becomes part of this statement and of its plan.
LEFT JOIN LATERAL question_figures($1, p.question_ids) AS f ON true
ORDER BY f.question_id
