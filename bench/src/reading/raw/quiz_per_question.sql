SELECT a.question_id, count(*), count(a.is_correct), count(*) FILTER (WHERE a.is_correct), count(a.latency_us),
       sum(a.latency_us)::int8, count(DISTINCT a.session_id)
FROM attempts a
JOIN sessions s USING (tenant_id, session_id)
WHERE s.tenant_id = 1 AND s.quiz_id = $1
GROUP BY a.question_id
