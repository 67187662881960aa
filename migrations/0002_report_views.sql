-- What the reports share, each defined once. A report filters these views by tenant and session, quiz question or
-- student; such a filter reaches the tables below, as every window and DISTINCT ON here is keyed by those columns.

-- Null without a key: such an answer is ungraded. Trimmed, exact otherwise.
CREATE FUNCTION is_correct(answer text, key text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(answer, E' \t\n\r\f\v') = btrim(key, E' \t\n\r\f\v');

-- A sum as a bigint. Latencies of some thousand years add up to more than that holds, and a client that sends the year 1
-- must not make a report fail.
CREATE FUNCTION saturated(total numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(total, 9223372036854775807)::bigint;

-- The answer key in force for each question: the catalogue's, else that of the newest publication that carries one.
CREATE VIEW answer_keys AS
SELECT q.tenant_id, q.question_id,
       coalesce(q.correct_answer,
                (SELECT p.correct_answer
                 FROM publications p
                 WHERE (p.tenant_id, p.question_id) = (q.tenant_id, q.question_id) AND p.correct_answer IS NOT NULL
                 ORDER BY p.published_at DESC, p.event_id DESC
                 LIMIT 1)) AS key
FROM questions q;

-- Each publication opens a round that lasts until the question's next publication in that session. Of publications at
-- one instant, all but the last get an empty round, so that an answer always falls into at most one.
CREATE VIEW rounds AS
SELECT tenant_id, session_id, question_id, event_id, teacher_id, timer_sec, published_at,
       lead(published_at) OVER (
           PARTITION BY tenant_id, session_id, question_id ORDER BY published_at, event_id) AS next_published_at
FROM publications;

-- Every answer once, graded, against its own round. latency_us and is_late are null without a round,
-- is_late also without a time limit.
CREATE VIEW attempts AS
SELECT a.tenant_id, a.session_id, a.event_id, a.question_id, a.student_id, a.answer, a.submitted_at,
       a.response_time_ms,
       is_correct(a.answer, k.key) AS is_correct,
       (extract(epoch FROM a.submitted_at - r.published_at) * 1000000)::bigint AS latency_us,
       a.submitted_at > r.published_at + make_interval(secs => r.timer_sec) AS is_late
FROM answers a
LEFT JOIN answer_keys k ON (k.tenant_id, k.question_id) = (a.tenant_id, a.question_id)
LEFT JOIN rounds r
       ON (r.tenant_id, r.session_id, r.question_id) = (a.tenant_id, a.session_id, a.question_id)
      AND r.published_at <= a.submitted_at
      AND (r.next_published_at IS NULL OR a.submitted_at < r.next_published_at);

-- Every attempt, and whether it is the answer that counts: the last one of that student at that question of the session.
CREATE VIEW ranked_attempts AS
SELECT *, row_number() OVER (PARTITION BY tenant_id, session_id, question_id, student_id
                             ORDER BY submitted_at DESC, event_id DESC) = 1 AS is_effective
FROM attempts;

CREATE VIEW effective_answers AS
SELECT * FROM ranked_attempts WHERE is_effective;

-- Who could have answered: the students enrolled in the session's classroom.
CREATE VIEW session_rosters AS
SELECT s.tenant_id, s.session_id, e.student_id
FROM sessions s
JOIN classroom_students e ON (e.tenant_id, e.classroom_id) = (s.tenant_id, s.classroom_id);
