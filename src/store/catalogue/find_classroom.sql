-- $1 tenant, $2 classroom. Both lists in one order.
SELECT c.name,
       ARRAY(SELECT e.student_id FROM classroom_students e
             WHERE (e.tenant_id, e.classroom_id) = (c.tenant_id, c.classroom_id)
             ORDER BY e.position, e.student_id) AS student_ids,
       ARRAY(SELECT s.name FROM classroom_students e
             JOIN students s ON (s.tenant_id, s.student_id) = (e.tenant_id, e.student_id)
             WHERE (e.tenant_id, e.classroom_id) = (c.tenant_id, c.classroom_id)
             ORDER BY e.position, e.student_id) AS student_names
FROM classrooms c
WHERE (c.tenant_id, c.classroom_id) = ($1, $2)
