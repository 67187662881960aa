WITH asked AS (
    SELECT DISTINCT tenant_id, session_id, event_id, kind
    FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::int4[]) AS e (tenant_id, session_id, event_id, kind)
)
SELECT
    count(*) FILTER (WHERE kind = 0 AND NOT EXISTS (
        SELECT FROM answers AS f
        WHERE f.tenant_id = asked.tenant_id AND f.session_id = asked.session_id AND f.event_id = asked.event_id
    )) AS answers,
    count(*) FILTER (WHERE kind = 1 AND NOT EXISTS (
        SELECT FROM publications AS f
        WHERE f.tenant_id = asked.tenant_id AND f.session_id = asked.session_id AND f.event_id = asked.event_id
    )) AS publications,
    count(*) FILTER (WHERE kind = 2 AND NOT EXISTS (
        SELECT FROM session_events AS f
        WHERE f.tenant_id = asked.tenant_id AND f.session_id = asked.session_id AND f.event_id = asked.event_id
    )) AS session_events
FROM asked
