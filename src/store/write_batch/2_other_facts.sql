new_publications AS (
    INSERT INTO publications (tenant_id, session_id, event_id, question_id, teacher_id, published_at, timer_sec,
                              correct_answer, client_event_id, received_at)
    SELECT * FROM unnest($26::int4[], $27::uuid[], $28::uuid[], $29::uuid[], $30::uuid[], $31::timestamptz[],
                         $32::int4[], $33::text[], $34::text[], $35::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
new_session_events AS (
    INSERT INTO session_events (tenant_id, session_id, event_id, kind, quiz_id, classroom_id, occurred_at,
                                client_event_id, received_at)
    SELECT * FROM unnest($36::int4[], $37::uuid[], $38::uuid[], $39::text[], $40::uuid[], $41::uuid[],
                         $42::timestamptz[], $43::text[], $44::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
