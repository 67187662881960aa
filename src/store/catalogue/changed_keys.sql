-- $1 tenant, $2 quiz, $3 questions listed, $4 their keys.
--
-- The key in force is the catalogue's, else that of the newest publication that carries one. A key that leaves the
-- catalogue counts as changed even where the publications' is the same: as long as the catalogue has one, event writers
-- take a publication's key for of no consequence and hold no exclusive lock for it. A key that comes into the catalogue
-- and was in force already changes nothing.
WITH wanted AS (
    SELECT question_id, correct_answer FROM unnest($3::uuid[], $4::text[]) AS l (question_id, correct_answer)
    UNION ALL
    SELECT q.question_id, NULL
    FROM questions q
    WHERE (q.tenant_id, q.quiz_id) = ($1, $2)
      AND NOT EXISTS (SELECT FROM unnest($3::uuid[]) AS l (question_id) WHERE l.question_id = q.question_id)
)
SELECT question_id, regrades
FROM (
    SELECT w.question_id, w.correct_answer, q.correct_answer AS old_answer,
           coalesce(w.correct_answer, newest.correct_answer)
               IS DISTINCT FROM coalesce(q.correct_answer, newest.correct_answer) AS regrades
    FROM wanted w
    LEFT JOIN questions q ON (q.tenant_id, q.question_id) = ($1, w.question_id)
    LEFT JOIN LATERAL (
        SELECT p.correct_answer
        FROM publications p
        WHERE (p.tenant_id, p.question_id) = ($1, w.question_id) AND p.correct_answer IS NOT NULL
        ORDER BY p.published_at DESC, p.event_id DESC
        LIMIT 1) AS newest ON true
) AS compared
WHERE correct_answer IS DISTINCT FROM old_answer AND (regrades OR correct_answer IS NULL)
