-- Which of some memories pass a filter, by their own metadata or with those of a document that they were drawn from: their places.
-- $1 subject keys and $2 ids, in step; $3 and on: the filter's
select a.place
from unnest($1, $2) with ordinality a (subject_key, id, place)
-- One look-up by the whole key for each, however many there are.
cross join lateral (
  select from memory_profile.memory m
  left join memory_profile.memory_source l on l.subject_key = m.subject_key and l.memory_id = m.id
  left join memory_profile.document d on d.subject_key = l.subject_key and d.id = l.document_id
  cross join lateral (select memory_profile._metadata_told(m.metadata, d.metadata) as metadata) told
  where m.subject_key = a.subject_key and m.id = a.id and m.superseded_at is null and /* filter told */
  limit 1) m
