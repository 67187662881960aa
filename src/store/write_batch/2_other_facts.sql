new_publications AS (
    INSERT INTO publications (tenant_id, session_id, event_id, question_id, teacher_id, published_at, timer_sec,
                              correct_answer, client_event_id, received_at)
    SELECT * FROM unnest($27::int4[], $28::uuid[], $29::uuid[], $30::uuid[], $31::uuid[], $32::timestamptz[],
                         $33::int4[], $34::text[], $35::text[], $36::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
new_session_events AS (
    INSERT INTO session_events (tenant_id, session_id, event_id, kind, quiz_id, classroom_id, occurred_at,
                                client_event_id, received_at)
    SELECT * FROM unnest($37::int4[], $38::uuid[], $39::uuid[], $40::text[], $41::uuid[], $42::uuid[],
                         $43::timestamptz[], $44::text[], $45::timestamptz[])
    WHERE (SELECT held FROM key_locks) >= 0
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, session_id, event_id
),
given AS (SELECT cardinality($3) + cardinality($27) + cardinality($37) AS events),
