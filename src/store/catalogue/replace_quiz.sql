-- $1 tenant, $2 quiz, $3 title, $4 description, $5 questions listed, $6 their keys.
--
-- Questions come before the quiz, in one pass in key order, as event writers lock them; rows that stay as they are stay
-- unlocked. The reference from question to quiz is checked at the end of the statement.
WITH listed AS (
    SELECT * FROM unnest($5::uuid[], $6::text[]) WITH ORDINALITY AS l (question_id, correct_answer, quiz_position)
),
wanted AS (
    SELECT question_id, $2::uuid AS quiz_id, correct_answer, quiz_position::integer FROM listed
    UNION ALL
    SELECT q.question_id, NULL, NULL, NULL
    FROM questions q
    WHERE (q.tenant_id, q.quiz_id) = ($1, $2)
      AND NOT EXISTS (SELECT FROM listed l WHERE l.question_id = q.question_id)
),
written_questions AS (
    INSERT INTO questions (tenant_id, question_id, quiz_id, correct_answer, quiz_position)
    SELECT $1, w.question_id, w.quiz_id, w.correct_answer, w.quiz_position
    FROM wanted w
    LEFT JOIN questions k ON (k.tenant_id, k.question_id) = ($1, w.question_id)
    WHERE (k.quiz_id, k.correct_answer, k.quiz_position)
          IS DISTINCT FROM (w.quiz_id, w.correct_answer, w.quiz_position)
    ORDER BY w.question_id
    ON CONFLICT (tenant_id, question_id) DO UPDATE SET
        quiz_id = excluded.quiz_id, correct_answer = excluded.correct_answer, quiz_position = excluded.quiz_position
    RETURNING question_id
)
INSERT INTO quizzes (tenant_id, quiz_id, title, description)
SELECT $1, $2, $3, $4
FROM (SELECT count(*) FROM written_questions) AS questions_first
WHERE NOT EXISTS (
    SELECT FROM quizzes k
    WHERE (k.tenant_id, k.quiz_id, k.title) = ($1, $2, $3) AND k.description IS NOT DISTINCT FROM $4)
ON CONFLICT (tenant_id, quiz_id) DO UPDATE SET title = excluded.title, description = excluded.description
