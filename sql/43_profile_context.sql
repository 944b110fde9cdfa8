-- The profile as an application puts it before a language model: a summary, topics, and one block of text.

create function profile_summary(subject text) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return _summary(subject_key(subject));
end
$$;
comment on function profile_summary(text) is
  'Two or three sentences about a subject, made of what is current at the moment of the call; NULL when nothing is known. A summary that was imported goes before it';

-- A topic has no members of its own: what belongs to it is found by its description, the way a question finds its answers.
create function profile_buckets(subject text, filters jsonb default null, keys text[] default null)
returns table (bucket text, id text, memory text, kind text, metadata jsonb, updated_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(subject);
begin
  return query
  select b.value ->> 'key', s.id, s.memory, s.kind, s.metadata, s.updated_at
  from jsonb_array_elements(project_setting('profile_buckets')) with ordinality b (value, place)
  cross join lateral memory_search(profile_buckets.subject, replace(b.value ->> 'key', '_', ' ') || ': ' || (b.value ->> 'description'), filters => profile_buckets.filters,
                                   max_results => 20) with ordinality s
  where (keys is null or b.value ->> 'key' = any (keys))
    and not exists (select from memory m where m.subject_key = key and m.id = s.id and m.aside)
  order by b.place, s.ordinality;
end
$$;
comment on function profile_buckets(text, jsonb, text[]) is
  'The memories of a subject by the topics of the setting profile_buckets, each topic''s best first: what a search for its key and description finds';

-- Lines are taken in the order of their worth and shown in the order of the sections; a line that does not fit any more
-- leaves room for shorter ones behind it.
create function profile_context(subject text, q text default null, max_tokens integer default 1000, embedding real[] default null) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  headings constant text[] := array['## About the user', '## Lately', '## On the question'];
  lines text[];
  sections integer[];
  costs integer[];
  heading_costs constant integer[] := _count_tokens(headings);
  opened boolean[] := '{f,f,f}';
  taken integer[] := '{}';
  cost integer;
  used integer := 0;
begin
  if max_tokens is null or max_tokens < 1 then
    raise invalid_parameter_value using message = 'max_tokens must be at least 1';
  end if;
  with known as (
    select case p.section when 'static' then 1 else 2 end as section, p.memory, p.kind = 'profile_field' as field, p.place
    from profile_memories(subject) with ordinality p (section, id, memory, kind, metadata, updated_at, place)
  ), found as (
    select s.memory, s.ordinality as place
    from memory_search(profile_context.subject, q, embedding => profile_context.embedding) with ordinality s
    where nullif(btrim(q), '') is not null
  ), candidate as (
    select section, memory, case when field then 1 when section = 1 then 3 else 4 end as worth, place from known
    union all
    select 3, memory, 2, place from found
  ), once as (
    -- The question's answers stand with the question, profile fields with the profile.
    select distinct on (btrim(memory)) section, '- ' || regexp_replace(btrim(memory), '\s+', ' ', 'g') as line, worth, place
    from candidate
    order by btrim(memory), worth
  )
  select array_agg(line order by worth, place), array_agg(section order by worth, place)
  into lines, sections
  from once;
  costs := _count_tokens(coalesce(lines, '{}'));
  for i in 1 .. coalesce(cardinality(lines), 0) loop
    cost := costs[i] + case when opened[sections[i]] then 0 else heading_costs[sections[i]] end;
    if used + cost <= max_tokens then
      used := used + cost;
      opened[sections[i]] := true;
      taken := taken || i;
    end if;
  end loop;
  return coalesce((
    select string_agg(headings[section] || E'\n' || body, E'\n\n' order by section)
    from (select sections[i] as section, string_agg(lines[i], E'\n' order by i) as body
          from unnest(taken) i group by sections[i]) s
  ), '');
end
$$;
comment on function profile_context(text, text, integer, real[]) is
  'What is known of a subject as a block of text for a prompt, of at most max_tokens tokens: profile fields first, then what answers the question q, '
  'the lasting facts, and the latest; embedding is the vector of the question, where the caller has it. Tokens are counted by the embedding model''s tokenizer, or estimated where none is installed';
