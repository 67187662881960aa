-- $1 tenant, $2 quiz, $3 page size, $4 offset. One row at least.
WITH listed AS MATERIALIZED (
    SELECT question_id FROM question_quizzes WHERE tenant_id = $1 AND quiz_id = $2
),
page AS (
    SELECT question_id FROM listed ORDER BY question_id LIMIT $3 OFFSET $4
)
SELECT t.total, f.question_id IS NOT NULL AS is_listed, f.*
FROM (SELECT count(*) AS total FROM listed) AS t
LEFT JOIN question_figures($1, ARRAY(SELECT question_id FROM page)) AS f ON true
ORDER BY f.question_id
