-- One transaction, one round trip: facts, their sessions, stubs for what they name, and the consumer's progress.
--
-- Lock order, the same for every writer: the tenants' key locks, the facts in key order, the sessions in key order,
-- the stubs in key order. `fresh` is DISTINCT, and `touched` sorted, so all facts are in before a session is locked.
--
-- The key lock is shared here and exclusive where an answer key changes (answer_keys.rs): a key change must see
-- every answer that it regrades. Its one-time filter takes it before the first row of each insert.
WITH key_locks AS MATERIALIZED (
    SELECT count(*) AS held
    FROM unnest($1::int4[]) AS t (tenant_id), LATERAL pg_advisory_xact_lock_shared($2, t.tenant_id)
),
new_answers AS (
    INSERT INTO answers (tenant_id, session_id, event_id, question_id, student_id, answer, submitted_at,
                         response_time_ms, client_event_id, received_at)
    SELECT * FROM unnest($3::int4[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::timestamptz[],
                         $10::int4[], $11::text[], $12::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
new_publications AS (
    INSERT INTO publications (tenant_id, session_id, event_id, question_id, teacher_id, published_at, timer_sec,
                              correct_answer, client_event_id, received_at)
    SELECT * FROM unnest($13::int4[], $14::uuid[], $15::uuid[], $16::uuid[], $17::uuid[], $18::timestamptz[],
                         $19::int4[], $20::text[], $21::text[], $22::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
new_session_events AS (
    INSERT INTO session_events (tenant_id, session_id, event_id, kind, quiz_id, classroom_id, occurred_at,
                                client_event_id, received_at)
    SELECT * FROM unnest($23::int4[], $24::uuid[], $25::uuid[], $26::text[], $27::uuid[], $28::uuid[],
                         $29::timestamptz[], $30::text[], $31::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
fresh AS MATERIALIZED (
    SELECT tenant_id, session_id FROM new_answers
    UNION
    SELECT tenant_id, session_id FROM new_publications
    UNION
    SELECT tenant_id, session_id FROM new_session_events
),
touched AS (
    INSERT INTO sessions AS s (tenant_id, session_id, quiz_id, classroom_id, started_at, ended_at, named_at,
                               named_event_id)
    SELECT c.*
    FROM unnest($32::int4[], $33::uuid[], $34::uuid[], $35::uuid[], $36::timestamptz[], $37::timestamptz[],
                $38::timestamptz[], $39::uuid[])
         AS c (tenant_id, session_id, quiz_id, classroom_id, started_at, ended_at, named_at, named_event_id)
    JOIN fresh USING (tenant_id, session_id)
    ORDER BY c.tenant_id, c.session_id
    ON CONFLICT (tenant_id, session_id) DO UPDATE SET
        facts_version = s.facts_version + 1,
        ended_at = greatest(s.ended_at, excluded.ended_at),
        (quiz_id, classroom_id, started_at, named_at, named_event_id) = ROW (
            CASE WHEN names_session(excluded.started_at, excluded.named_at, excluded.named_event_id,
                                    s.started_at, s.named_at, s.named_event_id)
                 THEN excluded.quiz_id ELSE s.quiz_id END,
            CASE WHEN names_session(excluded.started_at, excluded.named_at, excluded.named_event_id,
                                    s.started_at, s.named_at, s.named_event_id)
                 THEN excluded.classroom_id ELSE s.classroom_id END,
            CASE WHEN names_session(excluded.started_at, excluded.named_at, excluded.named_event_id,
                                    s.started_at, s.named_at, s.named_event_id)
                 THEN excluded.started_at ELSE s.started_at END,
            CASE WHEN names_session(excluded.started_at, excluded.named_at, excluded.named_event_id,
                                    s.started_at, s.named_at, s.named_event_id)
                 THEN excluded.named_at ELSE s.named_at END,
            CASE WHEN names_session(excluded.started_at, excluded.named_at, excluded.named_event_id,
                                    s.started_at, s.named_at, s.named_event_id)
                 THEN excluded.named_event_id ELSE s.named_event_id END)
),
quiz_stubs AS (
    INSERT INTO quizzes (tenant_id, quiz_id)
    SELECT c.* FROM unnest($40::int4[], $41::uuid[]) AS c (tenant_id, quiz_id)
    WHERE NOT EXISTS (SELECT FROM quizzes k WHERE (k.tenant_id, k.quiz_id) = (c.tenant_id, c.quiz_id))
    ORDER BY c.tenant_id, c.quiz_id
    ON CONFLICT DO NOTHING
),
classroom_stubs AS (
    INSERT INTO classrooms (tenant_id, classroom_id)
    SELECT c.* FROM unnest($42::int4[], $43::uuid[]) AS c (tenant_id, classroom_id)
    WHERE NOT EXISTS (SELECT FROM classrooms k WHERE (k.tenant_id, k.classroom_id) = (c.tenant_id, c.classroom_id))
    ORDER BY c.tenant_id, c.classroom_id
    ON CONFLICT DO NOTHING
),
student_stubs AS (
    INSERT INTO students (tenant_id, student_id)
    SELECT c.* FROM unnest($44::int4[], $45::uuid[]) AS c (tenant_id, student_id)
    WHERE NOT EXISTS (SELECT FROM students k WHERE (k.tenant_id, k.student_id) = (c.tenant_id, c.student_id))
    ORDER BY c.tenant_id, c.student_id
    ON CONFLICT DO NOTHING
),
question_stubs AS (
    INSERT INTO questions AS q (tenant_id, question_id, first_event_at, first_event_id, first_session_id)
    SELECT c.*
    FROM unnest($46::int4[], $47::uuid[], $48::timestamptz[], $49::uuid[], $50::uuid[])
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
progress AS (
    INSERT INTO consumer_progress (consumer_group, topic, partition, next_offset, record_at)
    SELECT $51, $52, $53, $54, $55
    WHERE $51::text IS NOT NULL
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET
        next_offset = excluded.next_offset, record_at = excluded.record_at, updated_at = now()
)
SELECT tenant_id, session_id, event_id, 'answer' AS kind FROM new_answers
UNION ALL
SELECT tenant_id, session_id, event_id, 'publication' FROM new_publications
UNION ALL
SELECT tenant_id, session_id, event_id, 'session' FROM new_session_events
