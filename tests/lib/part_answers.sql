-- What searches of a part of :'subject' find, and whether it was a part: to compare two databases.
\pset tuples_only on
\pset format unaligned
set memory_profile.search_texts = 1000;
select q, e -> 'part_of', e -> 'searched', s.memories
from unnest('{who lost a canoe?, something against the rain, Dmitri and the pianos, at 777}'::text[]) q
cross join lateral memory_profile.memory_search_explain(:'subject', q) e
cross join lateral (select array_agg(memory || round(similarity::numeric, 3)) as memories from memory_profile.memory_search(:'subject', q, 0)) s;
