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
       coalesce(sum(a.latency_us) FILTER (WHERE a.is_effective), 0)::bigint AS latency_us,
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
       sum(timed)::bigint AS timed, sum(latency_us)::bigint AS latency_us, min(least_latency_us) AS least_latency_us,
       sum(late)::bigint AS late,
       sum(attempts)::bigint AS attempts, sum(attempts_graded)::bigint AS attempts_graded,
       sum(attempts_correct)::bigint AS attempts_correct, sum(attempts_timed)::bigint AS attempts_timed,
       sum(attempts_latency_us)::bigint AS attempts_latency_us,
       sum(responses)::bigint AS responses, sum(response_us)::bigint AS response_us,
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
       p.first_published_at, p.last_published_at, coalesce(p.peak_per_minute, 0) AS peak_per_minute
FROM sessions s
LEFT JOIN (
    SELECT tenant_id, session_id,
           count(*) FILTER (WHERE is_effective) AS answers,
           count(is_correct) FILTER (WHERE is_effective) AS graded,
           count(*) FILTER (WHERE is_effective AND is_correct) AS correct,
           count(latency_us) FILTER (WHERE is_effective) AS timed,
           coalesce(sum(latency_us) FILTER (WHERE is_effective), 0)::bigint AS latency_us,
           count(*) AS attempts,
           count(*) FILTER (WHERE is_effective AND is_late) AS late,
           count(DISTINCT student_id) AS students,
           min(submitted_at) FILTER (WHERE is_effective) AS first_at,
           max(submitted_at) AS last_at
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

-- The cache. Made from the definition, so that the columns cannot differ.
CREATE TABLE stored_session_figures AS SELECT * FROM computed_session_figures WITH NO DATA;
ALTER TABLE stored_session_figures ADD PRIMARY KEY (tenant_id, session_id), SET (fillfactor = 80);
CREATE TABLE stored_session_questions AS SELECT * FROM computed_session_questions WITH NO DATA;
ALTER TABLE stored_session_questions ADD PRIMARY KEY (tenant_id, session_id, question_id), SET (fillfactor = 80);
CREATE INDEX stored_session_questions_by_question ON stored_session_questions (tenant_id, question_id);
CREATE TABLE stored_session_students AS SELECT * FROM computed_session_students WITH NO DATA;
ALTER TABLE stored_session_students ADD PRIMARY KEY (tenant_id, session_id, student_id), SET (fillfactor = 80);
CREATE INDEX stored_session_students_by_student ON stored_session_students (tenant_id, student_id);

-- OFFSET 0 keeps the planner from pulling a LATERAL part up, where the session's key would no longer reach the facts.
CREATE VIEW session_figures AS
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, r.*
FROM stored_session_figures r
JOIN sessions s USING (tenant_id, session_id)
WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_figures d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id OFFSET 0) AS c;

CREATE VIEW session_questions AS
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, r.*
FROM stored_session_questions r
JOIN sessions s USING (tenant_id, session_id)
WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_questions d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id OFFSET 0) AS c;

CREATE VIEW session_students AS
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, r.*
FROM stored_session_students r
JOIN sessions s USING (tenant_id, session_id)
WHERE NOT EXISTS (SELECT FROM stale_sessions z WHERE (z.tenant_id, z.session_id) = (r.tenant_id, r.session_id))
UNION ALL
SELECT s.quiz_id, s.classroom_id, s.started_at, s.ended_at, c.*
FROM stale_sessions z
JOIN sessions s USING (tenant_id, session_id),
LATERAL (SELECT * FROM computed_session_students d
         WHERE d.tenant_id = z.tenant_id AND d.session_id = z.session_id OFFSET 0) AS c;

-- Every session that is there before this migration has no stored figures yet.
INSERT INTO stale_sessions (tenant_id, session_id, facts_version)
SELECT tenant_id, session_id, facts_version FROM sessions;
