-- $1 tenant, $2 quiz, $3 now. Always one row.
SELECT questions, published_graded AS graded, published_correct AS correct, roster_students, active_students
FROM quiz_figures($1, $2, $3)
