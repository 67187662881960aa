-- $1 tenant, $2 student, $3 classroom, $4 now. Always one row.
WITH started AS (
    SELECT count(*) AS sessions, min(started_at) AS since
    FROM session_students
    WHERE tenant_id = $1 AND student_id = $2 AND classroom_id = $3 AND started_at <= $4
)
SELECT coalesce((SELECT name FROM students WHERE tenant_id = $1 AND student_id = $2), 'Unknown') AS student_name,
       coalesce((SELECT name FROM classrooms WHERE tenant_id = $1 AND classroom_id = $3), '') AS classroom_name,
       coalesce(f.sessions, 0) AS sessions,
       coalesce(f.quizzes, 0) AS quizzes,
       coalesce(f.answers, 0) AS answers,
       coalesce(f.graded, 0) AS graded,
       coalesce(f.correct, 0) AS correct,
       coalesce(f.timed, 0) AS timed,
       coalesce(f.latency_us, 0) AS latency_us,
       f.first_at, f.last_at,
       s.sessions AS started_sessions,
       (SELECT count(*) FROM sessions
        WHERE tenant_id = $1 AND classroom_id = $3 AND started_at BETWEEN s.since AND $4) AS held_sessions,
       coalesce(h.older_graded, 0) AS older_graded,
       coalesce(h.older_correct, 0) AS older_correct,
       coalesce(h.newer_graded, 0) AS newer_graded,
       coalesce(h.newer_correct, 0) AS newer_correct
FROM started s
LEFT JOIN classroom_student_figures f
       ON f.tenant_id = $1 AND f.classroom_id = $3 AND f.student_id = $2
LEFT JOIN classroom_student_halves h
       ON h.tenant_id = $1 AND h.classroom_id = $3 AND h.student_id = $2
