-- Chunks that share a word with the query, and those nearest to it in meaning; filters speak of the document's metadata.
-- $1 project, $2 subject key, $3 the query's lexemes, $4 embedding model or null, $5 the query's vector,
-- $6 how many by meaning, $7 and on: the filter's
with query as materialized (
  select $5::real[]::memory_profile.vector as vector
), scope as materialized (
  select s.subject_key,
         array(select hashtextextended(lexeme, uuid_hash_extended(s.subject_key, 0))
               from unnest($3) with ordinality l (lexeme, place) order by place) as hashes
  from memory_profile.subject s
  where s.project_id = $1 and /* subject s */
), lexical as (
  select c.subject_key, c.document_id, c.position
  from scope
  join memory_profile.chunk c on c.subject_key = scope.subject_key and c.terms operator(memory_profile.&&&) scope.hashes
  join memory_profile.document d on d.subject_key = c.subject_key and d.id = c.document_id
  where /* filter d */
), dense as (
  select e.subject_key, e.document_id, e.position
  from scope
  join memory_profile.chunk_embedding e on e.subject_key = scope.subject_key and e.model_id = $4
  join memory_profile.document d on d.subject_key = e.subject_key and d.id = e.document_id
  where /* subject e */ and /* filter d */
  order by e.embedding operator(memory_profile.<=>) (select vector from query), e.document_id, e.position
  limit $6
), candidate as (
  select * from lexical union select * from dense
)
select a.subject_key, a.document_id || '_' || a.position,
       array(select coalesce(c.term_frequencies[array_position(c.terms, h.hash)], 0)::integer
             from unnest(scope.hashes) with ordinality h (hash, place) order by place) as frequencies,
       c.term_count,
       1 - (e.embedding operator(memory_profile.<=>) (select vector from query)) as cosine,
       0.5::real as importance,
       (extract(epoch from c.created_at) * 1000000)::bigint as updated_at
from candidate a
join scope using (subject_key)
join memory_profile.chunk c
  on c.subject_key = a.subject_key and c.document_id = a.document_id and c.position = a.position
left join memory_profile.chunk_embedding e
  on e.subject_key = a.subject_key and e.model_id = $4 and e.document_id = a.document_id and e.position = a.position
