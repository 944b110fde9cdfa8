-- The product's own vectors lie plain in their rows, however many token codes stand beside them: fetched back from out of line,
-- they would cost every read several times as much.
set search_path = memory_profile, public;

-- How many values of a table lie out of line.
create function pg_temp.moved(target regclass) returns bigint
language plpgsql
as $$
declare
  found bigint;
begin
  execute format('select count(distinct chunk_id) from %s', (select reltoastrelid::regclass from pg_class where oid = target)) into found;
  return found;
end
$$;

select pg_temp.moved('memory_embedding') as before \gset
select count(*) from memories_add('narrow', (select jsonb_agg(jsonb_build_object('content', 'The ' || n || repeat(' red apple', n)))
  from unnest('{1,40,400}'::int[]) n));
-- a row in one piece is longer than the 2 kB that PostgreSQL allows by itself, and of the longest one the token codes alone have gone
select left(m.content, 7) as text, vector_dims(e.embedding) as dims, octet_length(e.tokens) > 2000 as many_tokens, octet_length(e.tokens) > 8160 as too_many
from memory_embedding e join memory m on m.subject_key = e.subject_key and m.id = e.memory_id where m.content like 'The % red apple%'
order by octet_length(e.tokens);
select pg_temp.moved('memory_embedding') - :before as moved;
select profile_erase('narrow') is not null as erased;
