-- $1 tenant, $2 quiz, $3 now. Always one row.
SELECT coalesce((SELECT title FROM quizzes WHERE tenant_id = $1 AND quiz_id = $2), '') AS title, f.*
FROM quiz_figures($1, $2, $3) AS f
