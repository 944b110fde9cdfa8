-- Which of some memories pass a filter: their places. $1 subject keys and $2 ids, in step; $3 and on: the filter's
select a.place
from unnest($1, $2) with ordinality a (subject_key, id, place)
-- One look-up by the whole key for each, however many there are.
cross join lateral (
  select from memory_profile.memory m
  where m.subject_key = a.subject_key and m.id = a.id and m.superseded_at is null and /* filter m */
  offset 0) m
