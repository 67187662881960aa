-- The catalogue's lists come back in the order in which they were given. Null for rows from elsewhere: those come last,
-- by id.
ALTER TABLE questions ADD quiz_position integer;
ALTER TABLE classroom_students ADD position integer;
