-- Statistics of the chunks that are searched, as memory_scope.sql has them of memories.
-- $1 project, $2 subject key, $3 the query's lexemes
with scope as materialized (
  select s.subject_key,
         array(select hashtextextended(lexeme, uuid_hash_extended(s.subject_key, 0))
               from unnest($3) with ordinality l (lexeme, place) order by place) as hashes
  from memory_profile.subject s
  where s.project_id = $1 and /* subject s */
), whole as (
  select count(*) as documents, coalesce(avg(c.term_count), 0)::double precision as average_length
  from memory_profile.chunk c
  where c.project_id = $1 and /* subject c */
)
select documents, average_length,
       array(
         select (
           select count(*)
           from scope
           join memory_profile.chunk c
             on c.subject_key = scope.subject_key and c.terms operator(memory_profile.&&&) array[scope.hashes[place]]
         )
         from generate_series(1, cardinality($3)) place
         order by place
       ),
       (extract(epoch from now()) * 1000000)::bigint
from whole
