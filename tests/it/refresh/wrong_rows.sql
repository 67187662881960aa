WITH current AS (
    SELECT 'figures' AS of, to_jsonb(f) AS row
    FROM session_figures f
    UNION ALL
    SELECT 'questions', to_jsonb(q) FROM session_questions q
    UNION ALL
    SELECT 'students', to_jsonb(s) FROM session_students s
),
defined AS (
    SELECT 'figures' AS of, to_jsonb(f) AS row FROM due_session_figures f
    UNION ALL
    SELECT 'questions', to_jsonb(q) FROM due_session_questions q
    UNION ALL
    SELECT 'students', to_jsonb(s) FROM due_session_students s
)
SELECT 'shown: ' || of || ' ' || row FROM (TABLE current EXCEPT ALL TABLE defined) AS shown
UNION ALL
SELECT 'right: ' || of || ' ' || row FROM (TABLE defined EXCEPT ALL TABLE current) AS missing
