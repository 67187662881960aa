SELECT a.student_id, count(*), count(a.is_correct), count(*) FILTER (WHERE a.is_correct), count(a.latency_us),
       sum(a.latency_us)::int8, count(DISTINCT a.session_id)
FROM sessions s,
     -- OFFSET 0 lets the session's key reach the answers; all at once, they would be ranked over the whole table.
     LATERAL (SELECT * FROM effective_answers a
              WHERE a.tenant_id = s.tenant_id AND a.session_id = s.session_id OFFSET 0) AS a
WHERE s.tenant_id = 1 AND s.classroom_id = $1
GROUP BY a.student_id
