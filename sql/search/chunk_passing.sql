-- Which of some chunks are of a document that passes a filter: their places. $1 subject keys and $2 ids, in step; $3 and on: the
-- filter's
select a.place
from unnest($1, $2) with ordinality a (subject_key, id, place)
-- One look-up by the whole key for each, however many there are.
cross join lateral (
  select from memory_profile.chunk c
  join memory_profile.document d on d.subject_key = c.subject_key and d.id = c.document_id
  where c.subject_key = a.subject_key and c.id = a.id and /* filter d */
  offset 0) d
