-- $1 tenant, $2 quiz. Both lists in one order.
SELECT z.title, z.description,
       ARRAY(SELECT q.question_id FROM questions q
             WHERE (q.tenant_id, q.quiz_id) = (z.tenant_id, z.quiz_id)
             ORDER BY q.quiz_position, q.question_id) AS question_ids,
       ARRAY(SELECT q.correct_answer FROM questions q
             WHERE (q.tenant_id, q.quiz_id) = (z.tenant_id, z.quiz_id)
             ORDER BY q.quiz_position, q.question_id) AS correct_answers
FROM quizzes z
WHERE (z.tenant_id, z.quiz_id) = ($1, $2)
