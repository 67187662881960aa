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

-- What was put to a session as a whole; no row for one without a publication.
CREATE VIEW session_publications AS
SELECT tenant_id, session_id,
       count(*) AS publications,
       array_agg(DISTINCT question_id ORDER BY question_id) AS question_ids,
       count(DISTINCT question_id) AS published_questions,
       min(published_at) AS first_published_at,
       max(published_at) AS last_published_at,
       -- Half-open: two publications exactly 60 s apart are never in one window. Timestamps have microseconds.
       max(in_window) AS peak_per_minute
FROM (SELECT *, count(*) OVER (PARTITION BY tenant_id, session_id ORDER BY published_at
                               RANGE BETWEEN CURRENT ROW AND interval '59.999999 s' FOLLOWING) AS in_window
      FROM publications) AS windowed
GROUP BY tenant_id, session_id;

-- published_questions is the session's, beside each student, so that what students did of what they could do is added up
-- over many sessions without another look at these. A student completes a session by answering each of its published
-- questions, of which there must be one.
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
       coalesce(q.published_questions, 0) AS published_questions,
       coalesce(count(p.question_id) FILTER (WHERE a.is_effective) = q.published_questions, false) AS has_completed,
       coalesce(max(p.question_order), 0) AS last_question_order
FROM ranked_attempts a
LEFT JOIN published_questions p
       ON (p.tenant_id, p.session_id, p.question_id) = (a.tenant_id, a.session_id, a.question_id)
LEFT JOIN session_publications q ON (q.tenant_id, q.session_id) = (a.tenant_id, a.session_id)
GROUP BY a.tenant_id, a.session_id, a.student_id, q.published_questions;

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
       -- In order, so that sessions of the same questions have the same list: whoever counts the questions of many sessions
       -- takes few lists apart.
       coalesce(p.question_ids, '{}') AS question_ids,
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
LEFT JOIN session_publications p ON (p.tenant_id, p.session_id) = (s.tenant_id, s.session_id);

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
CREATE INDEX stored_session_figures_by_classroom ON stored_session_figures (tenant_id, classroom_id, started_at);
CREATE TABLE stored_session_questions AS SELECT * FROM due_session_questions WITH NO DATA;
ALTER TABLE stored_session_questions ADD PRIMARY KEY (tenant_id, session_id, question_id), SET (fillfactor = 80);
CREATE INDEX stored_session_questions_by_question ON stored_session_questions (tenant_id, question_id);
CREATE INDEX stored_session_questions_by_quiz ON stored_session_questions (tenant_id, quiz_id);
CREATE INDEX stored_session_questions_by_classroom ON stored_session_questions (tenant_id, classroom_id);
CREATE TABLE stored_session_students AS SELECT * FROM due_session_students WITH NO DATA;
ALTER TABLE stored_session_students ADD PRIMARY KEY (tenant_id, session_id, student_id), SET (fillfactor = 80);
CREATE INDEX stored_session_students_by_student ON stored_session_students (tenant_id, student_id);
CREATE INDEX stored_session_students_by_quiz ON stored_session_students (tenant_id, quiz_id);
CREATE INDEX stored_session_students_by_classroom ON stored_session_students (tenant_id, classroom_id, started_at);

-- Always true, and said to be costly, so that two sets are never compared pair by pair: the planner believes that to be
-- cheap while nothing is stale, and the plan of a statement that stays prepared over such a night took 1.6 ms more in the
-- morning for each session behind, instead of 0.6. Only called for pairs whose keys are equal.
CREATE FUNCTION paired_by_key(one uuid, other uuid) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100
AS $$
BEGIN
    RETURN true;
END
$$;

-- OFFSET 0 keeps the planner from pulling a LATERAL part up, where the session's key would no longer reach the facts.
-- So does ORDER BY, which besides lets a filter on question or student through: with 1,000 stale sessions the figures
-- of one question take 0.16 s instead of 1.2 s.
-- The keys of that part are compared once more outside, so that a filter on session or tenant chooses among the stale
-- sessions before any is computed.
-- Looking up each stored row among the stale sessions takes as long as reading it, so where nothing is stale at all,
-- which is asked once, the rows are read as they are.
CREATE VIEW session_figures AS
SELECT *
FROM stored_session_figures
WHERE NOT EXISTS (SELECT FROM stale_sessions)
UNION ALL
SELECT *
FROM stored_session_figures r
WHERE EXISTS (SELECT FROM stale_sessions)
  AND NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id)
                    AND paired_by_key(z.session_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_figures d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id OFFSET 0) AS c
WHERE (c.tenant_id, c.session_id) = (z.tenant_id, z.session_id);

CREATE VIEW session_questions AS
SELECT *
FROM stored_session_questions
WHERE NOT EXISTS (SELECT FROM stale_sessions)
UNION ALL
SELECT *
FROM stored_session_questions r
WHERE EXISTS (SELECT FROM stale_sessions)
  AND NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id)
                    AND paired_by_key(z.session_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_questions d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id ORDER BY d.question_id) AS c
WHERE (c.tenant_id, c.session_id) = (z.tenant_id, z.session_id);

CREATE VIEW session_students AS
SELECT *
FROM stored_session_students
WHERE NOT EXISTS (SELECT FROM stale_sessions)
UNION ALL
SELECT *
FROM stored_session_students r
WHERE EXISTS (SELECT FROM stale_sessions)
  AND NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id)
                    AND paired_by_key(z.session_id, r.session_id))
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
CREATE VIEW session_members AS
SELECT f.tenant_id, f.quiz_id, f.classroom_id, f.session_id, f.started_at, f.ended_at,
       f.publications, f.published_questions, f.graded, f.correct,
       e.student_id,
       s.student_id IS NOT NULL AS has_answered,
       coalesce(s.published_answered, 0) AS published_answered,
       coalesce(s.has_completed, false) AS has_completed
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

-- How a quiz did wherever it was put to a classroom; always one row. The figures named published are over its sessions
-- with a publication. Each figure of a session is read once, as one that is behind is computed for that, and students
-- are added up by classroom first: a join of sessions with rosters would pair every session with every student.
CREATE FUNCTION quiz_figures(tenant integer, quiz uuid, at timestamptz)
RETURNS TABLE (sessions bigint, classrooms bigint, first_used timestamptz, last_used timestamptz,
               graded bigint, correct bigint, published_graded bigint, published_correct bigint, questions bigint,
               -- Who answered, guests included; who is on the roster of a classroom with a publication; who of these
               -- answered in a session with one.
               students bigint, roster_students bigint, active_students bigint,
               -- The mean over the sessions with a publication and a roster, in hundredths of a per cent.
               completion_hundredths bigint)
LANGUAGE sql STABLE
AS $$
    WITH held AS MATERIALIZED (
        SELECT f.classroom_id, f.started_at, f.publications > 0 AS is_published, f.graded, f.correct, f.question_ids
        FROM session_figures f
        WHERE f.tenant_id = tenant AND f.quiz_id = quiz
    ),
    answering AS (
        SELECT s.classroom_id, s.student_id,
               count(*) FILTER (WHERE s.published_questions > 0) AS published_sessions,
               count(*) FILTER (WHERE s.has_completed) AS completed_sessions
        FROM session_students s
        WHERE s.tenant_id = tenant AND s.quiz_id = quiz
        GROUP BY s.classroom_id, s.student_id
    ),
    published AS (
        SELECT h.classroom_id, count(*) AS sessions FROM held h WHERE h.is_published GROUP BY h.classroom_id
    ),
    enrolled AS (
        SELECT p.classroom_id, e.student_id
        FROM published p
        JOIN classroom_students e ON (e.tenant_id, e.classroom_id) = (tenant, p.classroom_id)
    ),
    participants AS MATERIALIZED (
        SELECT classroom_id, student_id, e.student_id IS NOT NULL AS is_enrolled, a.student_id IS NOT NULL AS has_answered,
               coalesce(a.published_sessions, 0) AS published_sessions,
               coalesce(a.completed_sessions, 0) AS completed_sessions
        FROM enrolled e
        FULL JOIN answering a USING (classroom_id, student_id)
    )
    SELECT h.*, q.questions, s.*, c.completion_hundredths
    FROM (SELECT count(*), count(DISTINCT h.classroom_id),
                 min(h.started_at) FILTER (WHERE h.started_at <= at), max(h.started_at) FILTER (WHERE h.started_at <= at),
                 coalesce(sum(h.graded), 0)::bigint, coalesce(sum(h.correct), 0)::bigint,
                 coalesce(sum(h.graded) FILTER (WHERE h.is_published), 0)::bigint,
                 coalesce(sum(h.correct) FILTER (WHERE h.is_published), 0)::bigint
          FROM held h) AS h,
         (SELECT count(DISTINCT question.id) AS questions
          FROM (SELECT DISTINCT h.question_ids FROM held h) AS l, unnest(l.question_ids) AS question (id)) AS q,
         (SELECT count(DISTINCT p.student_id) FILTER (WHERE p.has_answered),
                 count(DISTINCT p.student_id) FILTER (WHERE p.is_enrolled),
                 count(DISTINCT p.student_id) FILTER (WHERE p.is_enrolled AND p.published_sessions > 0)
          FROM participants p) AS s,
         -- Thirds that add up to a whole must do so before the rounding that shows: hence the first rounding.
         (SELECT coalesce(round(round(100 * sum(r.completed_sessions / r.students) / sum(p.sessions), 12), 2) * 100, 0)::bigint
                     AS completion_hundredths
          FROM published p
          JOIN (SELECT p.classroom_id, count(*) AS students, sum(p.completed_sessions) AS completed_sessions
                FROM participants p
                WHERE p.is_enrolled
                GROUP BY p.classroom_id) AS r USING (classroom_id)) AS c
$$;

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

-- The classroom's sessions that started in a window, from since to until, as one row or by the UTC day on which they
-- started, and those that started in the window before it, from before, which may be since itself; no row without a
-- session. Of their answers those in the same window: a student all of whose answers in a session lie there has the figures;
-- of one who is cut, the answers that count are picked over all attempts first, then by their time.
-- Large sets are added up and not joined, so that any plan will do. IS NOT TRUE keeps the one for any window from
-- expecting next to no sessions: of two bounds it believes that they leave one row in 200.
CREATE FUNCTION classroom_engagement(
    tenant integer, classroom uuid, before timestamptz, since timestamptz, until timestamptz, by_day boolean)
RETURNS TABLE (period timestamptz, active_students bigint, graded bigint, correct bigint, questions bigint,
               -- Of each active student and each question published in the session.
               answerable bigint, answered bigint)
LANGUAGE sql STABLE
AS $$
    WITH held AS MATERIALIZED (
        SELECT CASE WHEN by_day THEN date_bin('1 day', f.started_at, 'epoch')
                    WHEN f.started_at >= since THEN since ELSE before END AS period,
               CASE WHEN f.started_at >= since THEN since ELSE before END AS since,
               CASE WHEN f.started_at >= since THEN until ELSE since - interval '1 microsecond' END AS until,
               f.session_id, f.published_questions, f.question_ids, f.first_at, f.last_at
        FROM session_figures f
        WHERE f.tenant_id = tenant AND f.classroom_id = classroom
          AND f.started_at >= before AND (f.started_at > until) IS NOT TRUE
    ),
    parts AS (
        SELECT CASE WHEN by_day THEN date_bin('1 day', s.started_at, 'epoch')
                    WHEN s.started_at >= since THEN since ELSE before END AS period,
               s.student_id,
               sum(s.graded)::bigint AS graded, sum(s.correct)::bigint AS correct,
               sum(s.published_questions)::bigint AS answerable, sum(s.published_answered)::bigint AS answered
        FROM session_students s
        WHERE s.tenant_id = tenant AND s.classroom_id = classroom
          AND s.started_at >= before AND (s.started_at > until) IS NOT TRUE
          AND CASE WHEN s.started_at >= since THEN s.first_at >= since AND s.last_at <= until
                   ELSE s.first_at >= before AND s.last_at < since END
        GROUP BY 1, 2
        UNION ALL
        SELECT h.period, a.*
        FROM held h,
        LATERAL (SELECT a.student_id,
                        count(a.is_correct) FILTER (WHERE a.is_inside),
                        count(*) FILTER (WHERE a.is_inside AND a.is_correct),
                        h.published_questions,
                        count(p.question_id) FILTER (WHERE a.is_inside)
                 FROM (SELECT *, submitted_at BETWEEN h.since AND h.until AS is_inside FROM effective_answers) AS a
                 LEFT JOIN published_questions p
                        ON (p.tenant_id, p.session_id, p.question_id) = (a.tenant_id, a.session_id, a.question_id)
                 WHERE a.tenant_id = tenant AND a.session_id = h.session_id
                 GROUP BY a.student_id
                 HAVING bool_or(a.is_inside) AND NOT bool_and(a.is_inside)) AS a
        WHERE h.first_at < h.since OR h.last_at > h.until
    ),
    attended AS (
        SELECT p.period,
               count(DISTINCT e.student_id) AS active_students,
               sum(p.graded) AS graded, sum(p.correct) AS correct,
               sum(p.answerable) FILTER (WHERE e.student_id IS NOT NULL) AS answerable,
               sum(p.answered) FILTER (WHERE e.student_id IS NOT NULL) AS answered
        FROM parts p
        LEFT JOIN classroom_students e
               ON (e.tenant_id, e.classroom_id, e.student_id) = (tenant, classroom, p.student_id)
        GROUP BY p.period
    ),
    asked AS (
        SELECT l.period, count(DISTINCT question.id) AS questions
        FROM (SELECT DISTINCT h.period, h.question_ids FROM held h) AS l
        LEFT JOIN LATERAL unnest(l.question_ids) AS question (id) ON true
        GROUP BY l.period
    )
    SELECT k.period, coalesce(d.active_students, 0), coalesce(d.graded, 0)::bigint, coalesce(d.correct, 0)::bigint,
           k.questions, coalesce(d.answerable, 0)::bigint, coalesce(d.answered, 0)::bigint
    FROM asked k
    LEFT JOIN attended d USING (period)
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
-- and its attempts by answer text. Each figure of a session is read once, as one that is behind is computed for that.
CREATE FUNCTION question_figures(tenant integer, question_ids uuid[])
RETURNS TABLE (question_id uuid, sessions bigint, attempts bigint, graded bigint, correct bigint, timed bigint,
               latency_us bigint, distribution jsonb)
LANGUAGE sql STABLE
AS $$
    -- Sessions of few students often share a distribution, and taking one apart is what costs.
    WITH parts AS MATERIALIZED (
        SELECT q.question_id, q.distribution, count(*) AS alike,
               count(*) FILTER (WHERE q.publications > 0) AS sessions,
               sum(q.attempts) AS attempts, sum(q.attempts_graded) AS graded, sum(q.attempts_correct) AS correct,
               sum(q.attempts_timed) AS timed, sum(q.attempts_latency_us) AS latency_us
        FROM session_questions q
        WHERE q.tenant_id = tenant AND q.question_id = ANY (question_ids)
        GROUP BY q.question_id, q.distribution
    ),
    totals AS (
        SELECT p.question_id,
               sum(p.sessions)::bigint AS sessions, sum(p.attempts)::bigint AS attempts, sum(p.graded)::bigint AS graded,
               sum(p.correct)::bigint AS correct, sum(p.timed)::bigint AS timed, saturated(sum(p.latency_us)) AS latency_us
        FROM parts p
        GROUP BY p.question_id
    ),
    distributions AS (
        SELECT t.question_id, jsonb_object_agg(t.answer, t.attempts) AS distribution
        FROM (SELECT p.question_id, d.key AS answer, sum(p.alike * d.value::bigint) AS attempts
              FROM parts p, jsonb_each(p.distribution) AS d
              GROUP BY p.question_id, d.key) AS t
        GROUP BY t.question_id
    )
    SELECT asked.question_id, coalesce(t.sessions, 0), coalesce(t.attempts, 0), coalesce(t.graded, 0),
           coalesce(t.correct, 0), coalesce(t.timed, 0), coalesce(t.latency_us, 0), coalesce(d.distribution, '{}')
    FROM unnest(question_ids) AS asked (question_id)
    LEFT JOIN totals t USING (question_id)
    LEFT JOIN distributions d USING (question_id)
$$;
