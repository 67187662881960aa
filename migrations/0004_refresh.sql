-- Keeping the stored figures up with the facts, and telling where they are not.

-- Where what is stored of one session differs from what is due: `stored` is null for a row that is missing, `due` for one
-- that is left over. Functions, and not views: a filter on both sides of a FULL JOIN would not reach the facts' keys.
CREATE FUNCTION session_figure_differences(tenant integer, session uuid)
RETURNS TABLE (stored stored_session_figures, due due_session_figures)
LANGUAGE sql STABLE
AS $$
    SELECT r.whole, c.whole
    FROM (SELECT d.session_id, d AS whole FROM due_session_figures d
          WHERE d.tenant_id = tenant AND d.session_id = session OFFSET 0) AS c
    FULL JOIN (SELECT d.session_id, d AS whole FROM stored_session_figures d
               WHERE d.tenant_id = tenant AND d.session_id = session OFFSET 0) AS r USING (session_id)
    WHERE r.whole IS DISTINCT FROM c.whole
$$;

CREATE FUNCTION session_question_differences(tenant integer, session uuid)
RETURNS TABLE (question_id uuid, stored stored_session_questions, due due_session_questions)
LANGUAGE sql STABLE
AS $$
    SELECT question_id, r.whole, c.whole
    FROM (SELECT d.question_id, d AS whole FROM due_session_questions d
          WHERE d.tenant_id = tenant AND d.session_id = session OFFSET 0) AS c
    FULL JOIN (SELECT d.question_id, d AS whole FROM stored_session_questions d
               WHERE d.tenant_id = tenant AND d.session_id = session OFFSET 0) AS r USING (question_id)
    WHERE r.whole IS DISTINCT FROM c.whole
$$;

CREATE FUNCTION session_student_differences(tenant integer, session uuid)
RETURNS TABLE (student_id uuid, stored stored_session_students, due due_session_students)
LANGUAGE sql STABLE
AS $$
    SELECT student_id, r.whole, c.whole
    FROM (SELECT d.student_id, d AS whole FROM due_session_students d
          WHERE d.tenant_id = tenant AND d.session_id = session OFFSET 0) AS c
    FULL JOIN (SELECT d.student_id, d AS whole FROM stored_session_students d
               WHERE d.tenant_id = tenant AND d.session_id = session OFFSET 0) AS r USING (student_id)
    WHERE r.whole IS DISTINCT FROM c.whole
$$;

-- Brings the stored figures of stale sessions up to their facts; of those named, the ones that are not stale or that
-- another refresher holds are left out. Returns how many were brought up. One call is one transaction: a refresher that
-- is killed anywhere in it has done nothing.
--
-- Each statement has a snapshot of its own (READ COMMITTED), which decides their order:
-- 1. A lock per session keeps refreshers of one session apart. It is advisory, so that it costs writers nothing, and
--    tried, so that nobody waits.
-- 2. The next statement, whose snapshot is newer than the lock, sees what the last refresher stored. Version and facts
--    are read in this one snapshot, so what is stored is exactly what belongs to its of_version. Only rows that differ
--    are written.
-- 3. A session is no longer stale if its mark is still the one that snapshot saw. Whoever adds a fact changes the mark in
--    the same transaction: one that has committed since is seen here, one that holds the mark is not waited for, and one
--    that has not come to the mark yet will make a new one. A mark that moved stays and counts from now on.
--
-- So a session without a mark is stored as its facts are, in every snapshot; a mark too many costs time only. No row
-- that a writer locks is waited for, and a writer waits at most for the commit after step 3.
CREATE FUNCTION refresh_sessions(tenant_ids integer[], session_ids uuid[]) RETURNS integer
LANGUAGE plpgsql
-- One plan does for all groups, and one that was made while the tables were empty must do when they are large.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    locked stale_sessions[];
    seen stale_sessions[];
    began timestamptz;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'refresh_sessions needs READ COMMITTED: each step must see what was committed before it';
    END IF;

    SELECT array_agg(z) INTO locked
    FROM (SELECT z
          FROM stale_sessions z
          WHERE (z.tenant_id, z.session_id) IN (SELECT * FROM unnest(tenant_ids, session_ids))
          OFFSET 0) AS stale
    WHERE pg_try_advisory_xact_lock(uuid_hash_extended((z).session_id, (z).tenant_id));

    began := clock_timestamp();
    WITH marks AS MATERIALIZED (
        SELECT z.*
        FROM unnest(locked) AS l
        JOIN stale_sessions z USING (tenant_id, session_id)
    ),
    figures AS MATERIALIZED (
        SELECT m.tenant_id, m.session_id, d.* FROM marks m, session_figure_differences(m.tenant_id, m.session_id) AS d
    ),
    questions AS MATERIALIZED (
        SELECT m.tenant_id, m.session_id, d.* FROM marks m, session_question_differences(m.tenant_id, m.session_id) AS d
    ),
    students AS MATERIALIZED (
        SELECT m.tenant_id, m.session_id, d.* FROM marks m, session_student_differences(m.tenant_id, m.session_id) AS d
    ),
    -- A composite value IS NOT NULL only if all of its fields are; NOT (… IS NULL) asks for the row.
    kept_figures AS (
        INSERT INTO stored_session_figures
        SELECT (due).* FROM figures WHERE NOT (due IS NULL)
        ON CONFLICT (tenant_id, session_id) DO UPDATE SET
            (quiz_id, classroom_id, started_at, ended_at,
             of_version, answers, graded, correct, timed, latency_us, attempts, late, students, first_at, last_at,
             publications, published_questions, question_ids, first_published_at, last_published_at, peak_per_minute,
             superseded)
            = (excluded.quiz_id, excluded.classroom_id, excluded.started_at, excluded.ended_at,
               excluded.of_version, excluded.answers, excluded.graded, excluded.correct, excluded.timed,
               excluded.latency_us, excluded.attempts, excluded.late, excluded.students, excluded.first_at,
               excluded.last_at, excluded.publications, excluded.published_questions, excluded.question_ids,
               excluded.first_published_at, excluded.last_published_at, excluded.peak_per_minute,
               excluded.superseded)
    ),
    kept_questions AS (
        INSERT INTO stored_session_questions
        SELECT (due).* FROM questions WHERE NOT (due IS NULL)
        ON CONFLICT (tenant_id, session_id, question_id) DO UPDATE SET
            (quiz_id, classroom_id, started_at, ended_at,
             answers, graded, correct, timed, latency_us, least_latency_us, late, attempts, attempts_graded,
             attempts_correct, attempts_timed, attempts_latency_us, responses, response_us, least_response_us,
             greatest_response_us, publications, first_published_at, last_published_at, distribution)
            = (excluded.quiz_id, excluded.classroom_id, excluded.started_at, excluded.ended_at,
               excluded.answers, excluded.graded, excluded.correct, excluded.timed, excluded.latency_us,
               excluded.least_latency_us, excluded.late, excluded.attempts, excluded.attempts_graded,
               excluded.attempts_correct, excluded.attempts_timed, excluded.attempts_latency_us, excluded.responses,
               excluded.response_us, excluded.least_response_us, excluded.greatest_response_us,
               excluded.publications, excluded.first_published_at, excluded.last_published_at, excluded.distribution)
    ),
    kept_students AS (
        INSERT INTO stored_session_students
        SELECT (due).* FROM students WHERE NOT (due IS NULL)
        ON CONFLICT (tenant_id, session_id, student_id) DO UPDATE SET
            (quiz_id, classroom_id, started_at, ended_at,
             answers, graded, correct, timed, latency_us, attempts, first_at, last_at, published_answered,
             published_questions, has_completed, last_question_order)
            = (excluded.quiz_id, excluded.classroom_id, excluded.started_at, excluded.ended_at,
               excluded.answers, excluded.graded, excluded.correct, excluded.timed, excluded.latency_us,
               excluded.attempts, excluded.first_at, excluded.last_at, excluded.published_answered,
               excluded.published_questions, excluded.has_completed, excluded.last_question_order)
    ),
    gone_figures AS (
        DELETE FROM stored_session_figures r
        USING figures d
        WHERE d.due IS NULL AND (r.tenant_id, r.session_id) = (d.tenant_id, d.session_id)
    ),
    gone_questions AS (
        DELETE FROM stored_session_questions r
        USING questions d
        WHERE d.due IS NULL
          AND (r.tenant_id, r.session_id, r.question_id) = (d.tenant_id, d.session_id, d.question_id)
    ),
    gone_students AS (
        DELETE FROM stored_session_students r
        USING students d
        WHERE d.due IS NULL
          AND (r.tenant_id, r.session_id, r.student_id) = (d.tenant_id, d.session_id, d.student_id)
    )
    SELECT array_agg((m.tenant_id, m.session_id, m.facts_version, m.since, m.touched_at)::stale_sessions) INTO seen
    FROM marks m;

    WITH held AS MATERIALIZED (
        SELECT z.tenant_id, z.session_id,
               (z.facts_version, z.touched_at) = (s.facts_version, s.touched_at) AS is_unmoved
        FROM unnest(seen) AS s
        JOIN stale_sessions z USING (tenant_id, session_id)
        FOR UPDATE OF z SKIP LOCKED
    ),
    cleared AS (
        DELETE FROM stale_sessions z
        USING held h
        WHERE h.is_unmoved AND (z.tenant_id, z.session_id) = (h.tenant_id, h.session_id)
    )
    UPDATE stale_sessions z SET since = began
    FROM held h
    WHERE NOT h.is_unmoved AND (z.tenant_id, z.session_id) = (h.tenant_id, h.session_id);

    RETURN coalesce(cardinality(seen), 0);
END
$$;
