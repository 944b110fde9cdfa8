-- The memories that pass a filter, by their own metadata or with those of a document that they were drawn from.
-- $1 subject key or keys, $2 and on: the filter's
select distinct m.subject_key, m.id
from memory_profile.memory m
left join memory_profile.memory_source l on l.subject_key = m.subject_key and l.memory_id = m.id
left join memory_profile.document d on d.subject_key = l.subject_key and d.id = l.document_id
cross join lateral (select memory_profile._metadata_told(m.metadata, d.metadata) as metadata) told
where /* subjects m */ and m.superseded_at is null and /* filter told */
