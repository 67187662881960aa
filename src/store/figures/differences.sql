-- What is stored of some sessions and is not what their facts say, row by row.
WITH chosen AS MATERIALIZED (
    SELECT * FROM unnest($1::int4[], $2::uuid[]) AS c (tenant_id, session_id)
)
SELECT c.tenant_id, c.session_id, 'session' AS entity, NULL::uuid AS id,
       to_jsonb(d.stored) AS stored, to_jsonb(d.computed) AS recomputed
FROM chosen c,
LATERAL (SELECT * FROM session_figure_differences d
         WHERE d.tenant_id = c.tenant_id AND d.session_id = c.session_id OFFSET 0) AS d
UNION ALL
SELECT c.tenant_id, c.session_id, 'question', d.question_id, to_jsonb(d.stored), to_jsonb(d.computed)
FROM chosen c,
LATERAL (SELECT * FROM session_question_differences d
         WHERE d.tenant_id = c.tenant_id AND d.session_id = c.session_id OFFSET 0) AS d
UNION ALL
SELECT c.tenant_id, c.session_id, 'student', d.student_id, to_jsonb(d.stored), to_jsonb(d.computed)
FROM chosen c,
LATERAL (SELECT * FROM session_student_differences d
         WHERE d.tenant_id = c.tenant_id AND d.session_id = c.session_id OFFSET 0) AS d
ORDER BY tenant_id, session_id, entity, id
