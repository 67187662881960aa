-- $1 tenant, $2 classroom, $3 name, $4 students listed, $5 their names.
--
-- Students come before the classroom, in key order, as event writers lock them; rows that stay as they are stay
-- unlocked. Each step asks the one before, so that PostgreSQL finishes that one first.
WITH listed AS (
    SELECT student_id, name, position::integer
    FROM unnest($4::uuid[], $5::text[]) WITH ORDINALITY AS l (student_id, name, position)
),
written_students AS (
    INSERT INTO students AS s (tenant_id, student_id, name)
    SELECT $1, l.student_id, l.name
    FROM listed l
    LEFT JOIN students k ON (k.tenant_id, k.student_id) = ($1, l.student_id)
    WHERE k.student_id IS NULL OR l.name <> coalesce(k.name, '')
    ORDER BY l.student_id
    ON CONFLICT (tenant_id, student_id) DO UPDATE SET name = coalesce(excluded.name, s.name)
    RETURNING s.student_id
),
written_classroom AS (
    INSERT INTO classrooms (tenant_id, classroom_id, name)
    SELECT $1, $2, $3
    FROM (SELECT count(*) FROM written_students) AS students_first
    WHERE NOT EXISTS (SELECT FROM classrooms k WHERE (k.tenant_id, k.classroom_id, k.name) = ($1, $2, $3))
    ON CONFLICT (tenant_id, classroom_id) DO UPDATE SET name = excluded.name
    RETURNING classroom_id
),
left_out AS (
    DELETE FROM classroom_students e
    WHERE (e.tenant_id, e.classroom_id) = ($1, $2)
      AND (SELECT count(*) FROM written_classroom) >= 0
      AND NOT EXISTS (SELECT FROM listed l WHERE l.student_id = e.student_id)
)
INSERT INTO classroom_students (tenant_id, classroom_id, student_id, position)
SELECT $1, $2, l.student_id, l.position
FROM listed l
WHERE (SELECT count(*) FROM written_classroom) >= 0
  AND NOT EXISTS (SELECT FROM classroom_students e
                  WHERE (e.tenant_id, e.classroom_id, e.student_id, e.position)
                        = ($1, $2, l.student_id, l.position))
ON CONFLICT (tenant_id, classroom_id, student_id) DO UPDATE SET position = excluded.position
