-- Statistics of what is searched, before any filter: how many memories, how long on average, and how many of them
-- contain each of the query's words, in order.
-- $1 project, $2 subject key, $3 whether forgotten memories count, $4 the query's lexemes
with scope as materialized (
  select s.subject_key,
         array(select hashtextextended(lexeme, uuid_hash_extended(s.subject_key, 0))
               from unnest($4) with ordinality l (lexeme, place) order by place) as hashes
  from memory_profile.subject s
  where s.project_id = $1 and /* subject s */
), whole as (
  select count(*) as documents, coalesce(avg(m.term_count), 0)::double precision as average_length
  from memory_profile.memory m
  where m.project_id = $1 and /* subject m */ and m.superseded_at is null
    and ($3 or (m.forgotten_at is null and (m.forget_after is null or m.forget_after > now())))
)
select documents, average_length,
       array(
         select (
           select count(*)
           from scope
           join memory_profile.memory m
             on m.subject_key = scope.subject_key and m.terms operator(memory_profile.&&&) array[scope.hashes[place]]
           where m.superseded_at is null
             and ($3 or (m.forgotten_at is null and (m.forget_after is null or m.forget_after > now())))
         )
         from generate_series(1, cardinality($4)) place
         order by place
       ),
       (extract(epoch from now()) * 1000000)::bigint
from whole
