-- $1 tenant, $2 classroom, $3 now, $4 30 days ago, $5 7 days ago. Always one row.
-- A device with a fast clock may send events that lie ahead of now: only in their sessions the facts are looked at.
WITH figures AS MATERIALIZED (
    SELECT * FROM session_figures WHERE tenant_id = $1 AND classroom_id = $2
),
roster AS (
    SELECT student_id FROM classroom_students WHERE tenant_id = $1 AND classroom_id = $2
),
active AS (
    SELECT DISTINCT student_id
    FROM session_students s
    WHERE s.tenant_id = $1 AND s.classroom_id = $2 AND s.last_at >= $4
      AND (s.last_at <= $3
           OR s.first_at <= $3
              AND EXISTS (SELECT FROM effective_answers a
                          WHERE a.tenant_id = $1 AND a.session_id = s.session_id AND a.student_id = s.student_id
                            AND a.submitted_at BETWEEN $4 AND $3))
)
SELECT coalesce(c.name, '') AS classroom_name,
       c.created_at,
       (SELECT count(*) FROM roster) AS students,
       (SELECT count(*) FROM roster JOIN active USING (student_id)) AS active_students,
       f.sessions, f.recent_sessions, f.last_activity
FROM (SELECT count(*) AS sessions,
             count(*) FILTER (WHERE started_at BETWEEN $5 AND $3) AS recent_sessions,
             greatest(
                 max(started_at) FILTER (WHERE started_at <= $3),
                 max(CASE WHEN last_published_at <= $3 THEN last_published_at
                          WHEN first_published_at <= $3 THEN
                              (SELECT max(p.published_at) FROM publications p
                               WHERE p.tenant_id = $1 AND p.session_id = f.session_id AND p.published_at <= $3)
                     END),
                 max(CASE WHEN last_at <= $3 THEN last_at
                          WHEN first_at <= $3 THEN
                              (SELECT max(a.submitted_at) FROM effective_answers a
                               WHERE a.tenant_id = $1 AND a.session_id = f.session_id AND a.submitted_at <= $3)
                     END)) AS last_activity
      FROM figures f) AS f
LEFT JOIN classrooms c ON c.tenant_id = $1 AND c.classroom_id = $2
