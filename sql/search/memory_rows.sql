-- The memories that a search returns. $1 subject keys and $2 ids, in step
select a.place, m.id, m.content, m.metadata, m.version, m.updated_at, s.external_id, m.kind, m.is_static, m.root_id,
       null::text as document_id, m.created_at
from unnest($1, $2) with ordinality a (subject_key, id, place)
join memory_profile.memory m on m.subject_key = a.subject_key and m.id = a.id
join memory_profile.subject s on s.subject_key = a.subject_key
