quiz_stubs AS (
    INSERT INTO quizzes (tenant_id, quiz_id)
    SELECT c.* FROM unnest($46::int4[], $47::uuid[]) AS c (tenant_id, quiz_id)
    WHERE NOT EXISTS (SELECT FROM quizzes k WHERE (k.tenant_id, k.quiz_id) = (c.tenant_id, c.quiz_id))
    ORDER BY c.tenant_id, c.quiz_id
    ON CONFLICT DO NOTHING
),
classroom_stubs AS (
    INSERT INTO classrooms (tenant_id, classroom_id)
    SELECT c.* FROM unnest($48::int4[], $49::uuid[]) AS c (tenant_id, classroom_id)
    WHERE NOT EXISTS (SELECT FROM classrooms k WHERE (k.tenant_id, k.classroom_id) = (c.tenant_id, c.classroom_id))
    ORDER BY c.tenant_id, c.classroom_id
    ON CONFLICT DO NOTHING
),
student_stubs AS (
    INSERT INTO students (tenant_id, student_id)
    SELECT c.* FROM unnest($50::int4[], $51::uuid[]) AS c (tenant_id, student_id)
    WHERE NOT EXISTS (SELECT FROM students k WHERE (k.tenant_id, k.student_id) = (c.tenant_id, c.student_id))
    ORDER BY c.tenant_id, c.student_id
    ON CONFLICT DO NOTHING
),
question_stubs AS (
    INSERT INTO questions AS q (tenant_id, question_id, first_event_at, first_event_id, first_session_id)
    SELECT c.*
    FROM unnest($52::int4[], $53::uuid[], $54::timestamptz[], $55::uuid[], $56::uuid[])
         AS c (tenant_id, question_id, first_event_at, first_event_id, first_session_id)
    -- Without this look, every batch would lock (and so write) the rows of questions that it has nothing new about.
    WHERE NOT EXISTS (
        SELECT FROM questions k
        WHERE (k.tenant_id, k.question_id) = (c.tenant_id, c.question_id)
          AND (k.first_event_at, k.first_event_id, k.first_session_id)
              <= (c.first_event_at, c.first_event_id, c.first_session_id))
    ORDER BY c.tenant_id, c.question_id
    ON CONFLICT (tenant_id, question_id) DO UPDATE SET
        first_event_at = excluded.first_event_at,
        first_event_id = excluded.first_event_id,
        first_session_id = excluded.first_session_id
    WHERE q.first_event_at IS NULL
       OR (excluded.first_event_at, excluded.first_event_id, excluded.first_session_id)
          < (q.first_event_at, q.first_event_id, q.first_session_id)
),
