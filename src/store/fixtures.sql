-- Fixture sets A and B of the contract, tenant 1, all times relative to the transaction's now().
--
-- These rows break the rules of ingestion on purpose (late answers, guests, a session in the future), so they go past
-- the event validator. Every statement replaces exactly its own rows; what others put beside them stays.
-- A session's row keeps the least named_at, so that no event names it anew.

CREATE OR REPLACE FUNCTION pg_temp.fixture(digits text) RETURNS uuid
LANGUAGE sql IMMUTABLE RETURN ('900e8400-e29b-41d4-a716-4466554400' || digits)::uuid;

-- Set A: the reset script.

INSERT INTO students (student_id, name)
SELECT pg_temp.fixture(student), name
FROM (VALUES
    ('40', 'Alice Smith'), ('41', 'Bob Jones'), ('42', 'Charlie Brown'),
    ('43', 'Diana Wilson'), ('44', 'Eva Davis'),
    ('45', 'Frank Miller'),
    ('46', 'Grace Lee'), ('47', 'Henry Taylor')) AS v (student, name)
ON CONFLICT (tenant_id, student_id) DO UPDATE SET name = excluded.name;

INSERT INTO classrooms (classroom_id, name)
SELECT pg_temp.fixture(classroom), name
FROM (VALUES
    ('20', 'Advanced Computer Science'),
    ('21', 'Introduction to Programming'),
    ('22', 'Data Structures'),
    ('23', 'Web Development')) AS v (classroom, name)
ON CONFLICT (tenant_id, classroom_id) DO UPDATE SET name = excluded.name;

INSERT INTO classroom_students (classroom_id, student_id)
SELECT pg_temp.fixture(classroom), pg_temp.fixture(student)
FROM (VALUES
    ('20', '40'), ('20', '41'), ('20', '42'),
    ('21', '43'), ('21', '44'),
    ('22', '45'),
    ('23', '46'), ('23', '47')) AS v (classroom, student)
ON CONFLICT DO NOTHING;

INSERT INTO quizzes (quiz_id, title, description)
SELECT pg_temp.fixture(quiz), title, description
FROM (VALUES
    ('10', 'Algorithms Quiz', 'Test on sorting and searching algorithms'),
    ('11', 'Programming Basics', 'Fundamental programming concepts'),
    ('12', 'Data Structures Quiz', 'Arrays, linked lists, and trees'),
    ('13', 'HTML & CSS Basics', 'Web development fundamentals')) AS v (quiz, title, description)
ON CONFLICT (tenant_id, quiz_id) DO UPDATE SET title = excluded.title, description = excluded.description;

INSERT INTO questions (question_id, quiz_id, correct_answer)
SELECT pg_temp.fixture(question), pg_temp.fixture(quiz), correct_answer
FROM (VALUES
    ('30', '10', 'O(n log n)'), ('31', '10', 'Dijkstra'), ('36', '10', NULL),
    ('32', '11', 'A named storage location'), ('33', '11', 'Integrated Development Environment'), ('37', '11', NULL),
    ('34', '12', NULL), ('38', '12', NULL),
    ('35', '13', NULL), ('39', '13', NULL)) AS v (question, quiz, correct_answer)
ON CONFLICT (tenant_id, question_id) DO UPDATE
    SET quiz_id = excluded.quiz_id, correct_answer = excluded.correct_answer;

INSERT INTO sessions (session_id, quiz_id, classroom_id, started_at, ended_at)
SELECT pg_temp.fixture(session), pg_temp.fixture(quiz), pg_temp.fixture(classroom), now() + started, now() + ended
FROM (VALUES
    ('00', '10', '20', interval '-30 minutes', NULL),
    ('01', '11', '21', interval '-2 hours', interval '-1 hour'),
    ('02', '12', '22', interval '1 hour', NULL)) AS v (session, quiz, classroom, started, ended)
ON CONFLICT (tenant_id, session_id) DO UPDATE
    SET quiz_id = excluded.quiz_id, classroom_id = excluded.classroom_id,
        started_at = excluded.started_at, ended_at = excluded.ended_at,
        named_at = excluded.named_at, named_event_id = excluded.named_event_id;

INSERT INTO publications (event_id, session_id, question_id, published_at, timer_sec)
SELECT pg_temp.fixture(event), pg_temp.fixture(session), pg_temp.fixture(question), now() + at, timer_sec
FROM (VALUES
    ('80', '00', '30', interval '-25 minutes', 60),
    ('81', '00', '31', interval '-20 minutes', 60),
    ('82', '01', '32', interval '-90 minutes', 45),
    ('83', '01', '33', interval '-85 minutes', 45)) AS v (event, session, question, at, timer_sec)
ON CONFLICT (tenant_id, session_id, event_id) DO UPDATE
    SET question_id = excluded.question_id, teacher_id = NULL, published_at = excluded.published_at,
        timer_sec = excluded.timer_sec, correct_answer = NULL, client_event_id = NULL,
        received_at = excluded.received_at;

INSERT INTO answers (event_id, session_id, question_id, student_id, answer, submitted_at)
SELECT pg_temp.fixture(event), pg_temp.fixture(session), pg_temp.fixture(question), pg_temp.fixture(student),
       answer, now() + at
FROM (VALUES
    ('60', '00', '30', '40', 'O(n log n)', interval '-25 minutes'),
    ('61', '00', '31', '40', 'Dijkstra', interval '-20 minutes'),
    ('62', '00', '30', '41', 'O(n)', interval '-24 minutes'),
    ('63', '00', '30', '42', 'O(n log n)', interval '-23 minutes'),
    ('64', '00', '31', '42', 'Dijkstra', interval '-18 minutes'),
    ('65', '01', '32', '43', 'A named storage location', interval '-90 minutes'),
    ('66', '01', '33', '43', 'Integrated Development Environment', interval '-85 minutes'),
    ('67', '01', '32', '44', 'A function', interval '-88 minutes'),
    ('68', '01', '33', '44', 'Internet Data Exchange', interval '-83 minutes'),
    ('69', '00', '30', '43', 'O(n log n)', interval '-22 minutes'),
    ('70', '00', '31', '44', 'BFS', interval '-15 minutes'),
    ('71', '00', '30', '45', 'O(n²)', interval '-21 minutes')) AS v (event, session, question, student, answer, at)
ON CONFLICT (tenant_id, session_id, event_id) DO UPDATE
    SET question_id = excluded.question_id, student_id = excluded.student_id, answer = excluded.answer,
        submitted_at = excluded.submitted_at, response_time_ms = NULL, client_event_id = NULL,
        received_at = excluded.received_at;

-- Set B: what the Postman collection expects to find. Its session comes from its own first event. The collection
-- answers with letters, of which `A` is right.

INSERT INTO classrooms (classroom_id, name)
VALUES ('1a2b3c4d-5e6f-7890-1234-567890abcdef', 'Postman Classroom')
ON CONFLICT (tenant_id, classroom_id) DO UPDATE SET name = excluded.name;

INSERT INTO students (student_id, name)
VALUES ('9f8e7d6c-5b4a-3928-1746-5a6b7c8d9e0f', 'Postman Student 1'),
       ('8e7d6c5b-4a39-2817-4659-4a5b6c7d8e9f', 'Postman Student 2'),
       ('7d6c5b4a-3928-1746-5a6b-7c8d9e0f1234', 'Postman Student 3')
ON CONFLICT (tenant_id, student_id) DO UPDATE SET name = excluded.name;

INSERT INTO classroom_students (classroom_id, student_id)
VALUES ('1a2b3c4d-5e6f-7890-1234-567890abcdef', '9f8e7d6c-5b4a-3928-1746-5a6b7c8d9e0f'),
       ('1a2b3c4d-5e6f-7890-1234-567890abcdef', '8e7d6c5b-4a39-2817-4659-4a5b6c7d8e9f'),
       ('1a2b3c4d-5e6f-7890-1234-567890abcdef', '7d6c5b4a-3928-1746-5a6b-7c8d9e0f1234')
ON CONFLICT DO NOTHING;

INSERT INTO quizzes (quiz_id, title, description)
VALUES ('3e4d5e6f-7890-1234-5678-90abcdef1234', 'Postman Quiz', 'What the Postman collection plays')
ON CONFLICT (tenant_id, quiz_id) DO UPDATE SET title = excluded.title, description = excluded.description;

INSERT INTO questions (question_id, quiz_id, correct_answer)
VALUES ('f1e2d3c4-b5a6-9788-1234-567890abcdef', '3e4d5e6f-7890-1234-5678-90abcdef1234', 'A')
ON CONFLICT (tenant_id, question_id) DO UPDATE
    SET quiz_id = excluded.quiz_id, correct_answer = excluded.correct_answer;

-- Facts went in past the one door, and keys may have changed under sessions that are not the fixtures' own.
SELECT outdate_sessions(array_agg(s.tenant_id), array_agg(s.session_id))
FROM sessions s
WHERE s.tenant_id = 1
  AND (s.classroom_id IN (SELECT pg_temp.fixture(v) FROM unnest(ARRAY['20', '21', '22', '23']) AS v)
       OR s.session_id IN (
           SELECT a.session_id FROM answers a
           WHERE a.tenant_id = 1
             AND a.question_id IN (SELECT pg_temp.fixture('3' || v) FROM generate_series(0, 9) AS v
                                   UNION ALL SELECT 'f1e2d3c4-b5a6-9788-1234-567890abcdef')));
