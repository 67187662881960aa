-- Which records of the topic a group has stored, so that one which nobody has is found.
--
-- next_offset says how far a consumer has come; it can't say that nothing was left out on the way. `finished` can: it is
-- the set of the offsets whose events are stored, written by the statement that stores them. So it is true whatever is
-- killed and whenever: rows and offsets are committed together or not at all. A record that comes again is in the set
-- already, and adding it changes nothing; records that are read after all, because somebody set the group back, fill the
-- gap that they left. Dead letters come in when they have been found in their topic.
--
-- A record in the topic below the group's committed offset, and neither in this set nor among the dead letters, was
-- skipped: by somebody who moved the group's offset, by a database that was restored from a backup, or by a defect of
-- ours. `ctl completeness` and the consumer's metrics name it.
--
-- A partition without gaps takes one range, 30 bytes in the row that is updated with each batch anyway. Each gap adds one
-- range until it is filled.
ALTER TABLE consumer_progress ADD COLUMN finished int8multirange NOT NULL DEFAULT '{}';

-- What was stored before anybody kept count is taken to be complete.
UPDATE consumer_progress SET finished = int8multirange(int8range(0, next_offset)) WHERE next_offset > 0;
