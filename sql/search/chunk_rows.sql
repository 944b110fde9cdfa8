-- The chunks that a search returns. $1 subject keys and $2 ids, in step
select a.place, a.id, c.content, d.metadata, 1 as version, d.updated_at, s.external_id, 'chunk' as kind, false as is_static,
       null::text as root_id, d.id as document_id, c.created_at
from unnest($1, $2) with ordinality a (subject_key, id, place)
join memory_profile.chunk c on c.subject_key = a.subject_key and c.id = a.id
join memory_profile.document d on d.subject_key = c.subject_key and d.id = c.document_id
join memory_profile.subject s on s.subject_key = a.subject_key
