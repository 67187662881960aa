-- $1 tenant, $2 classroom, $3 now. Always one row.
SELECT coalesce((SELECT name FROM classrooms WHERE tenant_id = $1 AND classroom_id = $2), '') AS classroom_name,
       r.students, r.participating_students, r.roster_answers,
       f.quizzes, f.answers, f.graded, f.correct, f.timed, f.latency_us, f.sessions
FROM (SELECT count(*) AS students,
             count(s.student_id) AS participating_students,
             coalesce(sum(s.answers), 0)::bigint AS roster_answers
      FROM classroom_students e
      LEFT JOIN classroom_student_figures s USING (tenant_id, classroom_id, student_id)
      WHERE e.tenant_id = $1 AND e.classroom_id = $2) AS r,
     (SELECT count(DISTINCT quiz_id) FILTER (WHERE answers > 0) AS quizzes,
             coalesce(sum(answers), 0)::bigint AS answers,
             coalesce(sum(graded), 0)::bigint AS graded,
             coalesce(sum(correct), 0)::bigint AS correct,
             coalesce(sum(timed), 0)::bigint AS timed,
             saturated(coalesce(sum(latency_us), 0)) AS latency_us,
             count(*) FILTER (WHERE started_at <= $3) AS sessions
      FROM session_figures
      WHERE tenant_id = $1 AND classroom_id = $2) AS f
