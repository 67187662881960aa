progress AS (
    INSERT INTO consumer_progress (consumer_group, topic, partition, next_offset, record_at, finished)
    SELECT $21, $22, $23, $24, $25, $26::text::int8multirange
    WHERE $21::text IS NOT NULL
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET
        -- Never back: a member that lost the partition may commit its last transaction late, and an operator may have
        -- the topic read again. Only in a topic that was made anew is a record at an earlier offset much younger.
        next_offset = CASE
            WHEN excluded.next_offset > consumer_progress.next_offset
              OR excluded.record_at > consumer_progress.record_at + interval '1 minute'
            THEN excluded.next_offset ELSE consumer_progress.next_offset END,
        record_at = CASE
            WHEN excluded.next_offset > consumer_progress.next_offset
              OR excluded.record_at > consumer_progress.record_at + interval '1 minute'
            THEN excluded.record_at ELSE consumer_progress.record_at END,
        updated_at = now(),
        finished = consumer_progress.finished + excluded.finished
),
copies AS MATERIALIZED (
    SELECT (SELECT count(*) FROM new_answers)
         + (SELECT count(*) FROM new_publications)
         + (SELECT count(*) FROM new_session_events) < (SELECT events FROM given) AS are_some
)
-- Nothing at all when every event is new, as most are: a row for each would cost more than all else that is not the
-- insert. Otherwise one row for each new event, and one that stands for the copies.
SELECT NULL::int4 AS tenant_id, NULL::uuid AS session_id, NULL::uuid AS event_id, 'copies' AS kind
FROM copies WHERE are_some
UNION ALL
SELECT tenant_id, session_id, event_id, 'answer' FROM new_answers WHERE (SELECT are_some FROM copies)
UNION ALL
SELECT tenant_id, session_id, event_id, 'publication' FROM new_publications WHERE (SELECT are_some FROM copies)
UNION ALL
SELECT tenant_id, session_id, event_id, 'session' FROM new_session_events WHERE (SELECT are_some FROM copies)
