-- The blocks of the memories that come nearest to a question. $1 subject key, $2 embedding model, $3 the question's vector,
-- $4 how many
select m.signature_block
from memory_profile.memory_embedding e
cross join lateral (
  -- By the whole key, whatever is known of the tables.
  select m.signature_block from memory_profile.memory m
  where m.subject_key = $1 and m.id = e.memory_id and m.forgotten_at is null and (m.forget_after is null or m.forget_after > now())
  offset 0) m
where e.subject_key = $1 and e.model_id = $2
order by e.embedding operator(memory_profile.<=>) $3::real[]::memory_profile.halfvec
limit $4
