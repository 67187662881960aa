progress AS (
    INSERT INTO consumer_progress (consumer_group, topic, partition, next_offset, record_at, finished)
    SELECT $21, $22, $23, $24, $25, $26::text::int8multirange
    WHERE $21::text IS NOT NULL
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET
        next_offset = excluded.next_offset, record_at = excluded.record_at, updated_at = now(),
        finished = consumer_progress.finished + excluded.finished
)
SELECT tenant_id, session_id, event_id, 'answer' AS kind FROM new_answers
UNION ALL
SELECT tenant_id, session_id, event_id, 'publication' FROM new_publications
UNION ALL
SELECT tenant_id, session_id, event_id, 'session' FROM new_session_events
