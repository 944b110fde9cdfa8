-- The vectors of a short list of memories, and the codes of their tokens.
-- $1 subject keys and $2 ids, in step; $3 embedding model, $4 the question's vector
select a.place, 1 - (e.embedding operator(memory_profile.<=>) q.vector), e.tokens
from (select $4::real[]::memory_profile.halfvec as vector) q
cross join unnest($1::uuid[], $2::text[]) with ordinality a (subject_key, id, place)
join memory_profile.memory_embedding e on e.subject_key = a.subject_key and e.model_id = $3 and e.memory_id = a.id
