new_publications AS (SELECT NULL::int4 AS tenant_id, NULL::uuid AS session_id, NULL::uuid AS event_id WHERE false),
new_session_events AS (SELECT NULL::int4 AS tenant_id, NULL::uuid AS session_id, NULL::uuid AS event_id WHERE false),
given AS (SELECT cardinality($3) AS events),
