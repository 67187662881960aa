-- The figures of a session, computed, stored and current.
--
-- computed_* is the one definition: a pure function of the session's facts and of the answer keys. Rosters, titles and
-- the present time stay out of it and are joined when read. Filter it by (tenant_id, session_id); the filter reaches the
-- facts' own keys.
-- stored_* is a cache of it, with the version of the session that it was computed from.
-- session_figures, session_questions and session_students are what reports read: stored where nothing has happened
-- since, computed where something has. They are exact in every snapshot.

-- The sessions that may be ahead of their stored figures. A writer adds a session in the transaction that moves its
-- version; the refresher takes it out after it has stored figures of that version. So a session that is absent here is
-- exact as stored, and finding those that are not never reads all sessions (measured on 300,000: 110 ms).
-- Each touch updates the row in place: no index but the key, and room in the page.
CREATE TABLE stale_sessions (
    tenant_id     integer NOT NULL,
    session_id    uuid NOT NULL,
    facts_version bigint NOT NULL,
    since         timestamptz NOT NULL DEFAULT now(),
    touched_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id)
) WITH (fillfactor = 50);

-- Makes the stored figures of sessions out of date, for changes that are no new fact of the session: an answer key,
-- rows that an operator wrote, a rebuild. Locks the sessions in the order of every writer. Returns their number.
CREATE FUNCTION outdate_sessions(tenant_ids integer[], session_ids uuid[]) RETURNS bigint
LANGUAGE sql
AS $$
    WITH locked AS MATERIALIZED (
        SELECT s.tenant_id, s.session_id
        FROM sessions s
        JOIN unnest(tenant_ids, session_ids) AS chosen (tenant_id, session_id) USING (tenant_id, session_id)
        ORDER BY s.tenant_id, s.session_id
        FOR NO KEY UPDATE OF s
    ),
    outdated AS (
        UPDATE sessions s SET facts_version = s.facts_version + 1
        FROM locked l
        WHERE (s.tenant_id, s.session_id) = (l.tenant_id, l.session_id)
        RETURNING s.tenant_id, s.session_id, s.facts_version
    ),
    stale AS (
        INSERT INTO stale_sessions (tenant_id, session_id, facts_version)
        SELECT * FROM outdated ORDER BY tenant_id, session_id
        ON CONFLICT (tenant_id, session_id) DO UPDATE
            SET facts_version = excluded.facts_version, touched_at = excluded.touched_at
    )
    SELECT count(*) FROM outdated
$$;

-- The questions put to a session, in the order of their first publication.
CREATE VIEW published_questions AS
SELECT tenant_id, session_id, question_id,
       count(*) AS publications,
       min(published_at) AS first_published_at,
       max(published_at) AS last_published_at,
       row_number() OVER (PARTITION BY tenant_id, session_id ORDER BY min(published_at), question_id)
           AS question_order
FROM publications
GROUP BY tenant_id, session_id, question_id;

CREATE VIEW computed_session_students AS
SELECT a.tenant_id, a.session_id, a.student_id,
       count(*) FILTER (WHERE a.is_effective) AS answers,
       count(a.is_correct) FILTER (WHERE a.is_effective) AS graded,
       count(*) FILTER (WHERE a.is_effective AND a.is_correct) AS correct,
       count(a.latency_us) FILTER (WHERE a.is_effective) AS timed,
       saturated(coalesce(sum(a.latency_us) FILTER (WHERE a.is_effective), 0)) AS latency_us,
       count(*) AS attempts,
       min(a.submitted_at) FILTER (WHERE a.is_effective) AS first_at,
       max(a.submitted_at) AS last_at,
       count(p.question_id) FILTER (WHERE a.is_effective) AS published_answered,
       coalesce(max(p.question_order), 0) AS last_question_order
FROM ranked_attempts a
LEFT JOIN published_questions p
       ON (p.tenant_id, p.session_id, p.question_id) = (a.tenant_id, a.session_id, a.question_id)
GROUP BY a.tenant_id, a.session_id, a.student_id;

-- One row for each question that was published or answered in the session. The plain figures are over the answers that
-- count, those of attempts over all; response_ms is the client's own measure, where it was not sent the latency.
CREATE VIEW computed_session_questions AS
SELECT tenant_id, session_id, question_id,
       sum(answers)::bigint AS answers, sum(graded)::bigint AS graded, sum(correct)::bigint AS correct,
       sum(timed)::bigint AS timed, saturated(sum(latency_us)) AS latency_us, min(least_latency_us) AS least_latency_us,
       sum(late)::bigint AS late,
       sum(attempts)::bigint AS attempts, sum(attempts_graded)::bigint AS attempts_graded,
       sum(attempts_correct)::bigint AS attempts_correct, sum(attempts_timed)::bigint AS attempts_timed,
       saturated(sum(attempts_latency_us)) AS attempts_latency_us,
       sum(responses)::bigint AS responses, saturated(sum(response_us)) AS response_us,
       min(least_response_us) AS least_response_us, max(greatest_response_us) AS greatest_response_us,
       sum(publications)::bigint AS publications,
       min(first_published_at) AS first_published_at, max(last_published_at) AS last_published_at,
       coalesce(jsonb_object_agg(answer, attempts) FILTER (WHERE answer IS NOT NULL), '{}') AS distribution
FROM (
    SELECT tenant_id, session_id, question_id, answer,
           count(*) FILTER (WHERE is_effective) AS answers,
           count(is_correct) FILTER (WHERE is_effective) AS graded,
           count(*) FILTER (WHERE is_effective AND is_correct) AS correct,
           count(latency_us) FILTER (WHERE is_effective) AS timed,
           coalesce(sum(latency_us) FILTER (WHERE is_effective), 0) AS latency_us,
           min(latency_us) FILTER (WHERE is_effective) AS least_latency_us,
           count(*) FILTER (WHERE is_effective AND is_late) AS late,
           count(*) AS attempts,
           count(is_correct) AS attempts_graded,
           count(*) FILTER (WHERE is_correct) AS attempts_correct,
           count(latency_us) AS attempts_timed,
           coalesce(sum(latency_us), 0) AS attempts_latency_us,
           count(coalesce(response_time_ms * 1000::bigint, latency_us)) FILTER (WHERE is_effective) AS responses,
           coalesce(sum(coalesce(response_time_ms * 1000::bigint, latency_us)) FILTER (WHERE is_effective), 0)
               AS response_us,
           min(coalesce(response_time_ms * 1000::bigint, latency_us)) FILTER (WHERE is_effective)
               AS least_response_us,
           max(coalesce(response_time_ms * 1000::bigint, latency_us)) FILTER (WHERE is_effective)
               AS greatest_response_us,
           0 AS publications, NULL::timestamptz AS first_published_at, NULL::timestamptz AS last_published_at
    FROM ranked_attempts
    GROUP BY tenant_id, session_id, question_id, answer
    UNION ALL
    SELECT tenant_id, session_id, question_id, NULL, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL,
           publications, first_published_at, last_published_at
    FROM published_questions
) AS parts
GROUP BY tenant_id, session_id, question_id;

-- One row for every session, also for one without answers and publications.
CREATE VIEW computed_session_figures AS
SELECT s.tenant_id, s.session_id, s.facts_version AS of_version,
       coalesce(a.answers, 0) AS answers, coalesce(a.graded, 0) AS graded, coalesce(a.correct, 0) AS correct,
       coalesce(a.timed, 0) AS timed, coalesce(a.latency_us, 0) AS latency_us, coalesce(a.attempts, 0) AS attempts,
       coalesce(a.late, 0) AS late, coalesce(a.students, 0) AS students, a.first_at, a.last_at,
       coalesce(p.publications, 0) AS publications, coalesce(p.published_questions, 0) AS published_questions,
       p.first_published_at, p.last_published_at, coalesce(p.peak_per_minute, 0) AS peak_per_minute,
       -- The event ids of the attempts that do not count, for whoever reads the answers of many sessions: leaving these
       -- out is much cheaper than ranking all attempts again.
       coalesce(a.superseded, '{}') AS superseded
FROM sessions s
LEFT JOIN (
    SELECT tenant_id, session_id,
           count(*) FILTER (WHERE is_effective) AS answers,
           count(is_correct) FILTER (WHERE is_effective) AS graded,
           count(*) FILTER (WHERE is_effective AND is_correct) AS correct,
           count(latency_us) FILTER (WHERE is_effective) AS timed,
           saturated(coalesce(sum(latency_us) FILTER (WHERE is_effective), 0)) AS latency_us,
           count(*) AS attempts,
           count(*) FILTER (WHERE is_effective AND is_late) AS late,
           count(DISTINCT student_id) AS students,
           min(submitted_at) FILTER (WHERE is_effective) AS first_at,
           max(submitted_at) AS last_at,
           array_agg(event_id ORDER BY event_id) FILTER (WHERE NOT is_effective) AS superseded
    FROM ranked_attempts
    GROUP BY tenant_id, session_id
) AS a ON (a.tenant_id, a.session_id) = (s.tenant_id, s.session_id)
LEFT JOIN (
    SELECT tenant_id, session_id,
           count(*) AS publications,
           count(DISTINCT question_id) AS published_questions,
           min(published_at) AS first_published_at,
           max(published_at) AS last_published_at,
           -- Half-open: two publications exactly 60 s apart are never in one window. Timestamps have microseconds.
           max(in_window) AS peak_per_minute
    FROM (SELECT *, count(*) OVER (PARTITION BY tenant_id, session_id ORDER BY published_at
                                   RANGE BETWEEN CURRENT ROW AND interval '59.999999 s' FOLLOWING) AS in_window
          FROM publications) AS windowed
    GROUP BY tenant_id, session_id
) AS p ON (p.tenant_id, p.session_id) = (s.tenant_id, s.session_id);

-- What is due to be stored of an existing session: its computed figures with the session's own columns, by which reports
-- choose. Those change with new facts of the session only, so they are as current as the figures beside them.
CREATE VIEW due_session_figures AS
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM computed_session_figures c
JOIN sessions s USING (tenant_id, session_id);

CREATE VIEW due_session_questions AS
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM computed_session_questions c
JOIN sessions s USING (tenant_id, session_id);

CREATE VIEW due_session_students AS
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM computed_session_students c
JOIN sessions s USING (tenant_id, session_id);

-- The cache. Made from the definition, so that the columns cannot differ. A report reads one range of one index.
CREATE TABLE stored_session_figures AS SELECT * FROM due_session_figures WITH NO DATA;
ALTER TABLE stored_session_figures ADD PRIMARY KEY (tenant_id, session_id), SET (fillfactor = 80);
CREATE INDEX stored_session_figures_by_quiz ON stored_session_figures (tenant_id, quiz_id);
CREATE INDEX stored_session_figures_by_classroom ON stored_session_figures (tenant_id, classroom_id);
CREATE TABLE stored_session_questions AS SELECT * FROM due_session_questions WITH NO DATA;
ALTER TABLE stored_session_questions ADD PRIMARY KEY (tenant_id, session_id, question_id), SET (fillfactor = 80);
CREATE INDEX stored_session_questions_by_question ON stored_session_questions (tenant_id, question_id);
CREATE INDEX stored_session_questions_by_quiz ON stored_session_questions (tenant_id, quiz_id);
CREATE INDEX stored_session_questions_by_classroom ON stored_session_questions (tenant_id, classroom_id);
CREATE TABLE stored_session_students AS SELECT * FROM due_session_students WITH NO DATA;
ALTER TABLE stored_session_students ADD PRIMARY KEY (tenant_id, session_id, student_id), SET (fillfactor = 80);
CREATE INDEX stored_session_students_by_student ON stored_session_students (tenant_id, student_id);
CREATE INDEX stored_session_students_by_quiz ON stored_session_students (tenant_id, quiz_id);
CREATE INDEX stored_session_students_by_classroom ON stored_session_students (tenant_id, classroom_id);

-- OFFSET 0 keeps the planner from pulling a LATERAL part up, where the session's key would no longer reach the facts.
-- So does ORDER BY, which besides lets a filter on question or student through: with 1,000 stale sessions the figures
-- of one question take 0.16 s instead of 1.2 s.
-- The keys of that part are compared once more outside, so that a filter on session or tenant chooses among the stale
-- sessions before any is computed.
CREATE VIEW session_figures AS
SELECT *
FROM stored_session_figures r
WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_figures d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id OFFSET 0) AS c
WHERE (c.tenant_id, c.session_id) = (z.tenant_id, z.session_id);

CREATE VIEW session_questions AS
SELECT *
FROM stored_session_questions r
WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_questions d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id ORDER BY d.question_id) AS c
WHERE (c.tenant_id, c.session_id) = (z.tenant_id, z.session_id);

CREATE VIEW session_students AS
SELECT *
FROM stored_session_students r
WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_students d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id ORDER BY d.student_id) AS c
WHERE (c.tenant_id, c.session_id) = (z.tenant_id, z.session_id);

-- Every session that is there before this migration has no stored figures yet.
INSERT INTO stale_sessions (tenant_id, session_id, facts_version)
SELECT tenant_id, session_id, facts_version FROM sessions;

-- What several reports make of the figures. Each is filtered by tenant and by one of the ids that it leads with; the
-- joins name quiz and classroom, though the session alone would do, so that such a filter reaches both sides.

-- One row for each session and student on its roster; a session without a roster has one row without a student.
-- A student completes a session by answering each of its published questions, of which there must be one.
CREATE VIEW session_members AS
SELECT f.tenant_id, f.quiz_id, f.classroom_id, f.session_id, f.started_at, f.ended_at,
       f.publications, f.published_questions, f.graded, f.correct,
       e.student_id,
       s.student_id IS NOT NULL AS has_answered,
       coalesce(s.published_answered, 0) AS published_answered,
       coalesce(s.published_answered = f.published_questions AND f.published_questions > 0, false) AS has_completed
FROM session_figures f
LEFT JOIN classroom_students e ON (e.tenant_id, e.classroom_id) = (f.tenant_id, f.classroom_id)
LEFT JOIN session_students s
       ON (s.tenant_id, s.quiz_id, s.classroom_id, s.session_id, s.student_id)
        = (f.tenant_id, f.quiz_id, f.classroom_id, f.session_id, e.student_id);

-- One row for every session: its roster, and what the roster did; guests only count in graded and correct.
CREATE VIEW session_attendance AS
SELECT tenant_id, quiz_id, classroom_id, session_id, started_at, ended_at,
       publications, published_questions, graded, correct,
       count(student_id) AS roster_students,
       count(*) FILTER (WHERE has_answered) AS participating_students,
       count(*) FILTER (WHERE has_completed) AS completed_students,
       sum(published_answered)::bigint AS published_answered
FROM session_members
GROUP BY tenant_id, quiz_id, classroom_id, session_id, started_at, ended_at,
         publications, published_questions, graded, correct;

-- One row for each quiz that was put to a session, over its sessions with a publication: the students on their rosters,
-- and those of them who answered in a session on whose roster they are.
CREATE VIEW quiz_engagement AS
SELECT tenant_id, quiz_id, r.students AS roster_students, coalesce(a.students, 0) AS active_students
FROM (SELECT tenant_id, c.quiz_id, count(DISTINCT e.student_id) AS students
      FROM (SELECT DISTINCT tenant_id, quiz_id, classroom_id FROM session_figures WHERE publications > 0) AS c
      LEFT JOIN classroom_students e USING (tenant_id, classroom_id)
      GROUP BY tenant_id, c.quiz_id) AS r
LEFT JOIN (SELECT f.tenant_id, f.quiz_id, count(DISTINCT s.student_id) AS students
           FROM session_figures f
           JOIN session_students s USING (tenant_id, quiz_id, classroom_id, session_id)
           JOIN classroom_students e USING (tenant_id, classroom_id, student_id)
           WHERE f.publications > 0
           GROUP BY f.tenant_id, f.quiz_id) AS a USING (tenant_id, quiz_id);

-- One row for each student and classroom in whose sessions the student answered, as a guest or not.
CREATE VIEW classroom_student_figures AS
SELECT tenant_id, classroom_id, student_id,
       count(*) AS sessions, count(DISTINCT quiz_id) AS quizzes,
       sum(answers)::bigint AS answers, sum(graded)::bigint AS graded, sum(correct)::bigint AS correct,
       sum(timed)::bigint AS timed, saturated(sum(latency_us)) AS latency_us,
       min(first_at) AS first_at, max(last_at) AS last_at
FROM session_students
GROUP BY tenant_id, classroom_id, student_id;

-- The student's graded answers in the classroom's sessions in the order of time, cut in half: an odd one is newer.
CREATE VIEW classroom_student_halves AS
SELECT tenant_id, classroom_id, student_id,
       count(*) FILTER (WHERE is_older) AS older_graded,
       count(*) FILTER (WHERE is_older AND is_correct) AS older_correct,
       count(*) FILTER (WHERE NOT is_older) AS newer_graded,
       count(*) FILTER (WHERE NOT is_older AND is_correct) AS newer_correct
FROM (SELECT s.tenant_id, s.classroom_id, s.student_id, a.is_correct,
             2 * row_number() OVER (in_classroom ORDER BY a.submitted_at, a.event_id)
                 <= count(*) OVER in_classroom AS is_older
      FROM session_students s,
      LATERAL (SELECT * FROM effective_answers d
               WHERE d.tenant_id = s.tenant_id AND d.session_id = s.session_id AND d.student_id = s.student_id
                 AND d.is_correct IS NOT NULL
               OFFSET 0) AS a
      WINDOW in_classroom AS (PARTITION BY s.tenant_id, s.classroom_id, s.student_id)) AS ordered
GROUP BY tenant_id, classroom_id, student_id;

-- The classroom's sessions that started between two instants, as one row or by the UTC day on which they started; no
-- row without a session. Of their answers those between the two instants: a session all of whose answers lie there has
-- its figures, of one that is cut the answers that count are picked over all attempts first, then by their time.
CREATE FUNCTION classroom_engagement(
    tenant integer, classroom uuid, since timestamptz, until timestamptz, by_day boolean)
RETURNS TABLE (day date, active_students bigint, graded bigint, correct bigint, questions bigint,
               -- Of each active student and each question published in the session.
               answerable bigint, answered bigint)
LANGUAGE sql STABLE
AS $$
    WITH held AS (
        SELECT f.session_id, f.started_at, f.published_questions,
               f.first_at < since OR f.last_at > until AS is_cut
        FROM session_figures f
        WHERE f.tenant_id = tenant AND f.classroom_id = classroom AND f.started_at BETWEEN since AND until
    ),
    parts AS (
        SELECT s.session_id, s.student_id, s.graded, s.correct, s.published_answered, NULL::uuid AS question_id
        FROM held h
        JOIN session_students s USING (session_id)
        WHERE NOT h.is_cut
          AND s.tenant_id = tenant AND s.classroom_id = classroom AND s.started_at BETWEEN since AND until
        UNION ALL
        SELECT h.session_id, a.*, NULL
        FROM held h,
        LATERAL (SELECT a.student_id, count(a.is_correct), count(*) FILTER (WHERE a.is_correct), count(p.question_id)
                 FROM effective_answers a
                 LEFT JOIN published_questions p
                        ON (p.tenant_id, p.session_id, p.question_id) = (a.tenant_id, a.session_id, a.question_id)
                 WHERE a.tenant_id = tenant AND a.session_id = h.session_id AND a.submitted_at BETWEEN since AND until
                 GROUP BY a.student_id) AS a
        WHERE h.is_cut
        UNION ALL
        SELECT h.session_id, NULL, 0, 0, 0, p.question_id
        FROM held h
        JOIN publications p ON p.tenant_id = tenant AND p.session_id = h.session_id
    )
    SELECT CASE WHEN by_day THEN (h.started_at AT TIME ZONE 'UTC')::date END,
           count(DISTINCT e.student_id),
           coalesce(sum(p.graded), 0)::bigint, coalesce(sum(p.correct), 0)::bigint,
           count(DISTINCT p.question_id),
           coalesce(sum(h.published_questions) FILTER (WHERE e.student_id IS NOT NULL), 0)::bigint,
           coalesce(sum(p.published_answered) FILTER (WHERE e.student_id IS NOT NULL), 0)::bigint
    FROM held h
    LEFT JOIN parts p USING (session_id)
    LEFT JOIN classroom_students e
           ON (e.tenant_id, e.classroom_id, e.student_id) = (tenant, classroom, p.student_id)
    GROUP BY 1
$$;

-- Which quiz a question belongs to: the catalogue's word, else that of the session of its earliest event. No row for a
-- question of which neither is known.
CREATE VIEW question_quizzes AS
SELECT tenant_id, question_id, quiz_id FROM questions WHERE quiz_id IS NOT NULL
UNION ALL
SELECT q.tenant_id, q.question_id, s.quiz_id
FROM questions q
JOIN sessions s ON (s.tenant_id, s.session_id) = (q.tenant_id, q.first_session_id)
WHERE q.quiz_id IS NULL;
-- Without it the questions of a quiz are looked for among all that the catalogue does not know.
CREATE INDEX questions_by_first_session ON questions (tenant_id, first_session_id) WHERE quiz_id IS NULL;

-- One row for each of the questions, known or not: all attempts at it in all sessions, how many of these published it,
-- and its attempts by answer text.
CREATE FUNCTION question_figures(tenant integer, question_ids uuid[])
RETURNS TABLE (question_id uuid, sessions bigint, attempts bigint, graded bigint, correct bigint, timed bigint,
               latency_us bigint, distribution jsonb)
LANGUAGE sql STABLE
AS $$
    WITH parts AS MATERIALIZED (
        SELECT * FROM session_questions q WHERE q.tenant_id = tenant AND q.question_id = ANY (question_ids)
    ),
    distributions AS (
        SELECT t.question_id, jsonb_object_agg(t.answer, t.attempts) AS distribution
        -- Sessions of few students often share a distribution, and taking one apart is what costs.
        FROM (SELECT p.question_id, d.key AS answer, sum(p.sessions * d.value::bigint) AS attempts
              FROM (SELECT a.question_id, a.distribution, count(*) AS sessions FROM parts a GROUP BY 1, 2) AS p,
                   jsonb_each(p.distribution) AS d
              GROUP BY p.question_id, d.key) AS t
        GROUP BY t.question_id
    )
    SELECT asked.question_id,
           count(*) FILTER (WHERE p.publications > 0),
           coalesce(sum(p.attempts), 0)::bigint, coalesce(sum(p.attempts_graded), 0)::bigint,
           coalesce(sum(p.attempts_correct), 0)::bigint, coalesce(sum(p.attempts_timed), 0)::bigint,
           saturated(coalesce(sum(p.attempts_latency_us), 0)),
           coalesce(d.distribution, '{}')
    FROM unnest(question_ids) AS asked (question_id)
    LEFT JOIN parts p USING (question_id)
    LEFT JOIN distributions d USING (question_id)
    GROUP BY asked.question_id, d.distribution
$$;
