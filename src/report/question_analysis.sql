-- $1 tenant, $2 question. Always one row.
WITH per_text AS (
    SELECT answer,
           count(*) AS attempts,
           count(is_correct) AS graded,
           count(*) FILTER (WHERE is_correct) AS correct,
           count(latency_us) AS timed,
           coalesce(sum(latency_us), 0) AS latency_us
    FROM attempts
    WHERE tenant_id = $1 AND question_id = $2
    GROUP BY answer
)
SELECT (SELECT coalesce(q.quiz_id, s.quiz_id)
        FROM questions q
        LEFT JOIN sessions s ON (s.tenant_id, s.session_id) = (q.tenant_id, q.first_session_id)
        WHERE q.tenant_id = $1 AND q.question_id = $2) AS quiz_id,
       (SELECT count(DISTINCT session_id) FROM publications WHERE tenant_id = $1 AND question_id = $2) AS usage_count,
       coalesce(sum(attempts), 0)::bigint AS attempts,
       coalesce(sum(graded), 0)::bigint AS graded,
       coalesce(sum(correct), 0)::bigint AS correct,
       coalesce(sum(timed), 0)::bigint AS timed,
       coalesce(sum(latency_us), 0)::bigint AS latency_us,
       coalesce(jsonb_object_agg(answer, attempts), '{}') AS distribution
FROM per_text
