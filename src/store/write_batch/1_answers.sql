-- One transaction, one round trip: facts, their sessions, stubs for what they name, and the consumer's progress.
-- statement.rs puts the parts together; most batches hold answers only and name nothing new, and every branch of a
-- plan costs at each execution, empty or not.
--
-- Lock order, the same for every writer: the tenants' key locks, the facts, the stubs (questions, students, classrooms,
-- quizzes), the sessions; each kind in key order. Facts come first because the outermost SELECT asks for them; what it
-- does not ask for runs afterwards, the last branch first. `fresh` is DISTINCT, and `touched` sorted.
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
