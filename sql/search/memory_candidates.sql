-- Memories that share a word with the query, and those nearest to it in meaning. Both sides see the whole scope after
-- the filter, so a selective filter loses nothing.
-- $1 project, $2 subject key, $3 whether forgotten memories count, $4 the query's lexemes, $5 embedding model or null,
-- $6 the query's vector, $7 how many by meaning, $8 and on: the filter's
with query as materialized (
  select $6::real[]::memory_profile.vector as vector
), scope as materialized (
  select s.subject_key,
         array(select hashtextextended(lexeme, uuid_hash_extended(s.subject_key, 0))
               from unnest($4) with ordinality l (lexeme, place) order by place) as hashes
  from memory_profile.subject s
  where s.project_id = $1 and /* subject s */
), lexical as (
  select m.subject_key, m.id
  from scope
  join memory_profile.memory m on m.subject_key = scope.subject_key and m.terms operator(memory_profile.&&&) scope.hashes
  where m.superseded_at is null
    and ($3 or (m.forgotten_at is null and (m.forget_after is null or m.forget_after > now())))
    and /* filter m */
), dense as (
  select m.subject_key, m.id
  from scope
  join memory_profile.memory_embedding e on e.subject_key = scope.subject_key and e.model_id = $5
  join memory_profile.memory m on m.subject_key = e.subject_key and m.id = e.memory_id
  where /* subject m */ and /* subject e */ and m.superseded_at is null
    and ($3 or (m.forgotten_at is null and (m.forget_after is null or m.forget_after > now())))
    and /* filter m */
  order by e.embedding operator(memory_profile.<=>) (select vector from query), m.id
  limit $7
), candidate as (
  select * from lexical union select * from dense
)
select c.subject_key, c.id,
       array(select coalesce(m.term_frequencies[array_position(m.terms, h.hash)], 0)::integer
             from unnest(scope.hashes) with ordinality h (hash, place) order by place) as frequencies,
       m.term_count,
       1 - (e.embedding operator(memory_profile.<=>) (select vector from query)) as cosine,
       m.importance,
       (extract(epoch from m.updated_at) * 1000000)::bigint as updated_at
from candidate c
join scope using (subject_key)
join memory_profile.memory m on m.subject_key = c.subject_key and m.id = c.id
left join memory_profile.memory_embedding e
  on e.subject_key = c.subject_key and e.model_id = $5 and e.memory_id = c.id
