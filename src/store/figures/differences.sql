-- What is stored of some sessions and is not what is due by their facts, row by row.
WITH chosen AS MATERIALIZED (
    SELECT * FROM unnest($1::int4[], $2::uuid[]) AS c (tenant_id, session_id)
)
SELECT c.tenant_id, c.session_id, 'session' AS entity, NULL::uuid AS id,
       to_jsonb(d.stored) AS stored, to_jsonb(d.due) AS recomputed
FROM chosen c, session_figure_differences(c.tenant_id, c.session_id) AS d
UNION ALL
SELECT c.tenant_id, c.session_id, 'question', d.question_id, to_jsonb(d.stored), to_jsonb(d.due)
FROM chosen c, session_question_differences(c.tenant_id, c.session_id) AS d
UNION ALL
SELECT c.tenant_id, c.session_id, 'student', d.student_id, to_jsonb(d.stored), to_jsonb(d.due)
FROM chosen c, session_student_differences(c.tenant_id, c.session_id) AS d
ORDER BY tenant_id, session_id, entity, id
