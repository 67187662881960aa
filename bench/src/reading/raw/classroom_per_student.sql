SELECT a.student_id, count(*), count(a.is_correct), count(*) FILTER (WHERE a.is_correct), count(a.latency_us),
       sum(a.latency_us)::int8, count(DISTINCT a.session_id)
FROM effective_answers a
JOIN sessions s USING (tenant_id, session_id)
WHERE s.tenant_id = 1 AND s.classroom_id = $1
GROUP BY a.student_id
