-- The chunks that a search returns. $1 subject keys and $2 ids (document and position), in step
select a.place, a.id, c.content, d.metadata, 1 as version, d.updated_at, s.external_id, 'chunk' as kind, false as is_static,
       null::text as root_id, d.id as document_id, c.created_at
from unnest($1, $2) with ordinality a (subject_key, id, place)
join memory_profile.chunk c
  on c.subject_key = a.subject_key
  and c.document_id = left(a.id, length(a.id) - strpos(reverse(a.id), '_'))
  and c.position = right(a.id, strpos(reverse(a.id), '_') - 1)::integer
join memory_profile.document d on d.subject_key = c.subject_key and d.id = c.document_id
join memory_profile.subject s on s.subject_key = a.subject_key
