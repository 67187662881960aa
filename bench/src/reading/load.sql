-- A school of the size in bench.sessions, written past the product: `ctl rebuild` then works its figures out.
-- Whatever its size, a quiz is used in 1,000 sessions and a classroom holds 500, each of 10 students, 10 questions and
-- 100 answers; only their number differs. In every tenth session one of the students is a guest of the next classroom.
CREATE FUNCTION pg_temp.id(kind text, number bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE RETURN md5(kind || number)::uuid;

INSERT INTO quizzes (quiz_id, title)
SELECT pg_temp.id('quiz', n), 'Quiz ' || n
FROM generate_series(0, current_setting('bench.sessions')::int / 1000 - 1) AS n;

INSERT INTO questions (question_id, quiz_id, correct_answer)
SELECT pg_temp.id('question', n), pg_temp.id('quiz', n / 10), 'A'
FROM generate_series(0, current_setting('bench.sessions')::int / 100 - 1) AS n;

INSERT INTO classrooms (classroom_id, name)
SELECT pg_temp.id('classroom', n), 'Classroom ' || n
FROM generate_series(0, current_setting('bench.sessions')::int / 500 - 1) AS n;

INSERT INTO students (student_id, name)
SELECT pg_temp.id('student', n), 'Student ' || n
FROM generate_series(0, current_setting('bench.sessions')::int / 50 - 1) AS n;

INSERT INTO classroom_students (classroom_id, student_id)
SELECT pg_temp.id('classroom', n / 10), pg_temp.id('student', n)
FROM generate_series(0, current_setting('bench.sessions')::int / 50 - 1) AS n;

-- A session every 170 minutes in each classroom, which makes 59 days.
INSERT INTO sessions (session_id, quiz_id, classroom_id, started_at, ended_at, named_at)
SELECT pg_temp.id('session', n), pg_temp.id('quiz', n / 1000), pg_temp.id('classroom', n / 500), at,
       at + interval '30 minutes', at
FROM generate_series(0, current_setting('bench.sessions')::int - 1) AS n,
     LATERAL (SELECT date_trunc('second', now()) - interval '1 hour' - n % 500 * interval '170 minutes' AS at) AS started;

INSERT INTO publications (session_id, event_id, question_id, published_at, timer_sec)
SELECT pg_temp.id('session', n), pg_temp.id('publication', n * 10 + q), pg_temp.id('question', n / 1000 * 10 + q),
       date_trunc('second', now()) - interval '1 hour' - n % 500 * interval '170 minutes' + q * interval '2 minutes', 60
FROM generate_series(0, current_setting('bench.sessions')::int - 1) AS n, generate_series(0, 9) AS q;

INSERT INTO answers (session_id, event_id, question_id, student_id, answer, submitted_at, response_time_ms)
SELECT pg_temp.id('session', n), pg_temp.id('answer', n::bigint * 100 + a), pg_temp.id('question', n / 1000 * 10 + a / 10),
       pg_temp.id('student', n / 500 * 10 + CASE WHEN n % 10 = 0 AND a % 10 = 9 THEN 10 ELSE a % 10 END),
       substr('ABCD', 1 + (hashint4(n * 100 + a) & 3), 1),
       date_trunc('second', now()) - interval '1 hour' - n % 500 * interval '170 minutes' + a / 10 * interval '2 minutes'
           + (5 + (hashint4(n * 100 + a + 1) & 63)) * interval '1 second',
       5000 + 1000 * (hashint4(n * 100 + a + 1) & 63)
FROM generate_series(0, current_setting('bench.sessions')::int - 1) AS n, generate_series(0, 99) AS a;
