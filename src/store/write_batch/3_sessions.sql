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
    FROM unnest($13::int4[], $14::uuid[], $15::uuid[], $16::uuid[], $17::timestamptz[], $18::timestamptz[],
                $19::timestamptz[], $20::uuid[])
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
    RETURNING s.tenant_id, s.session_id, s.facts_version
),
stale AS (
    INSERT INTO stale_sessions (tenant_id, session_id, facts_version)
    SELECT * FROM touched
    ON CONFLICT (tenant_id, session_id) DO UPDATE
        SET facts_version = excluded.facts_version, touched_at = excluded.touched_at
),
