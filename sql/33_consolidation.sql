-- Consolidation: how a statement that is written meets what is known already. One rule book for every writer, under the
-- subject's lock:
--
--   the same text, or the same said in other words     reinforces what is known
--   another value of a slot of which there is one      supersedes it, if it is at least as sure; else it is rejected
--   the denial of what is known, or the other way round    the known one is forgotten softly, by the same rule
--   the same and more                                  is remembered beside it, and extends it
--   concluded from others                              is remembered, and derives from them
--
-- Nothing is superseded for being similar. Which statements say the same is decided by src/rules/src/same.rs; the index
-- over the gist finds the few to compare. Each decision is a row that says why, and can be undone.

create function _decide(
  about memory, decision text, reason text, other_id text default null, content text default null, details jsonb default '{}', job uuid default null
) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  insert into decision (subject_key, project_id, memory_id, decision, reason, other_id, content, details, job_id)
  values (about.subject_key, about.project_id, about.id, _decide.decision, _decide.reason, _decide.other_id, _decide.content,
          _decide.details, coalesce(_decide.job, case when _decide.decision in ('superseded', 'extended', 'derived') then about.job_id end));
end
$$;

-- What the subject is called, which statements about it may use in place of "User": the present name, and behind it the former
-- ones that are other forms of it, which older statements use.
create function _subject_names(key uuid) returns text[]
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  names text[];
  has_one boolean;
begin
  select array_agg(n.field_value #>> '{}' order by n.created_at desc, n.version desc),
         bool_or(n.superseded_at is null and n.forgotten_at is null)
  into names, has_one
  from memory n where n.subject_key = key and n.field_key = 'name';
  return case when not coalesce(has_one, false) then '{}' when cardinality(names) = 1 then names else _known_as(names) end;
end
$$;

-- Whose days a subject's words mean: its time zone, by the profile, or else that of the project.
create function _subject_zone(key uuid) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  zone text;
begin
  select m.field_value #>> '{}' into zone
  from jsonb_array_elements(profile_schema_get() -> 'fields') f
  join memory m on m.subject_key = key and m.field_key = f ->> 'key' and m.superseded_at is null and m.forgotten_at is null
  where f ->> 'type' = 'timezone'
  order by m.field_key <> 'timezone', m.field_key
  limit 1;
  return coalesce(zone, project_setting('timezone') #>> '{}');
end
$$;

-- Why a value was accepted, in words.
create function _supersede_why(known memory, new memory) returns text
language sql stable
as $$
  select case
    when known.id is null then null
    when new.source_type = 'manual' then 'set by hand'
    else format('a new value, at least as sure: %s against %s', new.confidence, known.confidence)
  end
$$;

-- Ends a memory without a successor: softly, with a reason.
create function _memory_close(known memory, decision text, reason text, other_id text default null, moment timestamptz default clock_timestamp())
returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  update memory m set forgotten_at = greatest(moment, m.created_at), forget_reason = reason
  where m.subject_key = known.subject_key and m.id = known.id
  returning * into known;
  perform _decide(known, decision, coalesce(reason, 'by request'), other_id);
  update subject s set updated_at = now() where s.subject_key = known.subject_key and s.updated_at <> now();
  return known;
end
$$;

-- What is said again matters more: a tenth of what is missing to 1.
create function _memory_reinforce(known memory, attributes jsonb, reason text, content text default null) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  given constant memory := jsonb_populate_record(null::memory, attributes);
  before constant jsonb := jsonb_build_object('importance', known.importance, 'is_static', known.is_static, 'forget_after', known.forget_after);
  weight constant real := greatest(known.importance, given.importance);
begin
  update memory m
  set seen_count = m.seen_count + 1, last_seen_at = clock_timestamp(), is_static = m.is_static or coalesce(given.is_static, false),
      importance = (0.1 + 0.9 * weight::numeric)::real, forget_after = coalesce(given.forget_after, m.forget_after),
      job_id = case when m.field_key is null then m.job_id else coalesce(given.job_id, m.job_id) end
  where m.subject_key = known.subject_key and m.id = known.id
  returning * into known;
  perform _decide(known, 'reinforced', reason, null, content,
    jsonb_build_object('before', before) || case when content is null then '{}' else jsonb_build_object('memory', attributes) end, given.job_id);
  return known;
end
$$;

create function _memory_relate(key uuid, from_id text, to_id text, relation text, reason text default null) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  insert into memory_relation (subject_key, from_id, to_id, relation, project_id, reason)
  values (key, _memory_relate.from_id, _memory_relate.to_id, _memory_relate.relation, _project(), _memory_relate.reason)
  on conflict do nothing;
  if not found then
    return;
  end if;
  if relation = 'derives' then
    update memory m set is_inference = true where m.subject_key = key and m.id = _memory_relate.from_id;
  end if;
  if relation in ('derives', 'extends') then
    perform _decide(m, case relation when 'derives' then 'derived' else 'extended' end,
                    coalesce(_memory_relate.reason, 'by request'), _memory_relate.to_id)
    from memory m where m.subject_key = key and m.id = _memory_relate.from_id;
  end if;
end
$$;

-- Whether two texts that say the same are one memory. Events of different days are not, nor what its caller describes by
-- other metadata.
create function _may_be_one(new memory, known memory) returns boolean
language sql stable
as $$
  select case when new.kind = 'event' or known.kind = 'event'
                then (new.event_date at time zone 'UTC')::date is not distinct from (known.event_date at time zone 'UTC')::date
                     and (new.forget_after is null) = (known.forget_after is null)
              else true end
         and (coalesce(new.metadata, '{}') = '{}' or new.metadata = known.metadata)
$$;

-- The cosine of a text with what is stored of a memory; NULL without a vector.
create function _cosine_with(content text, known memory) returns double precision
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
  stored halfvec;
begin
  select e.embedding into stored from memory_embedding e
  where e.subject_key = known.subject_key and e.model_id = model and e.memory_id = known.id;
  return case when stored is not null then
    1 - (stored operator(memory_profile.<=>) (select e.embedding from _encode(_cosine_with.content) e)) end;
end
$$;

-- A statement as it is to be remembered: checked, placed, and with what it is compared by. Attributes are columns of memory.
create function _memory_new(key uuid, attributes jsonb, names text[]) returns memory
language plpgsql
as $$
declare
  new memory_profile.memory := jsonb_populate_record(null::memory_profile.memory, attributes);
begin
  new.subject_key := key;
  new.content := memory_profile._check_content(new.content);
  new.metadata := memory_profile._check_metadata(coalesce(new.metadata, '{}'));
  perform memory_profile._check_memory(new);
  new.id := memory_profile._new_id('mem');
  new.source_type := coalesce(new.source_type, 'api');
  new.confidence := coalesce(new.confidence, 0.95);
  new := memory_profile._memory_placed(new);
  new.gist := memory_profile._memory_gist(new, names);
  return new;
end
$$;

-- The plan that a text calls off, by what it calls the plan: of those ahead the one that has all the words, or that has most of
-- the words for its sort. Of several that are named alike none is meant for sure.
create function _plan_meant(key uuid, called_off jsonb) returns memory
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  words constant text[] := array(select jsonb_array_elements_text(called_off -> 'words'));
  sorts constant text[] := array(select jsonb_array_elements_text(called_off -> 'sorts'));
  candidates text[];
  plan memory;
begin
  select array_agg(w.id) filter (where w.fit = w.best) into candidates
  from (select m.id, t.fit, max(t.fit) over () as best
        from (select k.* from memory k
              where k.subject_key = key and k.superseded_at is null and k.forgotten_at is null
                and k.forget_after > now() and k.field_key is null
              offset 0) m
        cross join lateral (select _tells_of_plan(m.content, words, sorts) as fit offset 0) t
        where t.fit is not null and m.kind = 'event' and not m.aside
          and (called_off ->> 'day' is null
               or (m.event_date at time zone 'UTC')::date = ((called_off ->> 'day')::timestamptz at time zone 'UTC')::date)) w;
  if cardinality(candidates) = 1 then
    select * into plan from memory m where m.subject_key = key and m.id = candidates[1];
  end if;
  return plan;
end
$$;

-- What is said of a plan that was moved by so much, with the day that it has now. A plan ends with its day, where the subject is.
create function _plan_shifted(plan memory, attributes jsonb, shift interval) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  zone constant text := coalesce(_subject_zone(plan.subject_key), 'UTC');
  day constant timestamptz := (plan.event_date at time zone 'UTC' + shift) at time zone 'UTC';
begin
  return attributes || jsonb_build_object(
    'content', coalesce(_plan_moved_to(attributes ->> 'content', day, project_setting('language') #>> '{}'), attributes ->> 'content'),
    'event_date', day, 'forget_after', (plan.forget_after at time zone zone + shift) at time zone zone);
end
$$;

-- Remembers that a plan is off, which is forgotten softly, or that it takes place on another day, which supersedes it.
create function _plan_call_off(plan memory, new memory, called_off jsonb, embed boolean) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  moved constant boolean := (called_off ->> 'moved')::boolean;
  refusal constant text := _supersede_reason(plan.source_type, plan.confidence, new.source_type, new.confidence);
begin
  if refusal is not null then
    new := _memory_insert(new, null, embed);
    perform _decide(plan, 'rejected', refusal, new.id, new.content, '{}', new.job_id);
  elsif moved then
    new := _memory_insert(new, plan, embed, 'the plan was moved');
  else
    new := _memory_insert(new, null, embed);
    perform _memory_close(plan, 'contradicted', format('called off by "%s"', new.content), new.id);
  end if;
  return new;
end
$$;

-- Remembers one text under the subject's lock, by the rules above. Where nothing is written because what is known is surer,
-- the row that is returned is empty. Attributes are columns of memory, besides "negated" (the text denies that the slot has
-- this value), "denied_fields" (profile fields that are this slot), "derives_from" (ids of memories it was concluded from), and
-- "calls_off" (how the text names a plan that it ends or moves).
create function _memory_write(key uuid, attributes jsonb, embed boolean) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  names constant text[] := _subject_names(key);
  new memory := _memory_new(key, attributes, names);
  denied_slot text;
  known memory;
  standing memory;
  relation text;
  refusal text;
  beginnings bigint[];
  called_off constant jsonb := nullif(attributes -> 'calls_off', 'null');
  plan memory;
begin
  known := _memory_find(key, null, new.content);
  if known.id is not null and _is_current(known) and (new.kind is distinct from 'event' or _may_be_one(new, known)) then
    return _memory_reinforce(known, attributes, 'the same text');
  end if;

  if called_off is not null then
    plan := _plan_meant(key, called_off);
    if plan.id is not null then
      if called_off ->> 'shift' is not null then
        -- Said once more of the day that it has now.
        if plan.content = _plan_moved_to(new.content, plan.event_date, project_setting('language') #>> '{}') then
          return _memory_reinforce(plan, attributes - 'content', 'the same text', new.content);
        end if;
        new := _memory_new(key, _plan_shifted(plan, attributes, (called_off ->> 'shift')::interval), names);
      end if;
      return _plan_call_off(plan, new, called_off, embed);
    elsif (called_off ->> 'only_known')::boolean then
      return null;
    end if;
  end if;

  if (attributes ->> 'negated')::boolean then
    denied_slot := new.slot;
    new.slot := null;
  end if;
  if new.gist is not null then
    beginnings := _gists_of_beginnings(new.content, names);
  end if;

  if new.slot is not null then
    select * into standing from memory m
    where m.subject_key = key and m.slot = new.slot and m.superseded_at is null and m.forgotten_at is null;
  end if;
  if standing.id is not null and _is_current(standing) then
    if _same_value(standing.slot_value, new.slot_value) then
      if _statement_relation(new.content, standing.content, names) = 'same' or _statement_relation(standing.content, new.content, names) = 'extends' then
        return _memory_reinforce(standing, attributes - 'content', format('says the same of %s', new.slot), new.content);
      end if;
      new.slot := null;
      new := _memory_insert(new, null, embed);
      perform _memory_relate(key, new.id, standing.id, 'extends', format('more about %s', standing.slot));
      return new;
    end if;
    refusal := _supersede_reason(standing.source_type, standing.confidence, new.source_type, new.confidence);
    if refusal is not null then
      perform _decide(standing, 'rejected', refusal, null, new.content, jsonb_build_object('memory', jsonb_strip_nulls(to_jsonb(new))), new.job_id);
      return null;
    end if;
  end if;

  -- What says the same, or denies it: found by the gist before anything is sorted, or the planner would read all by their date.
  -- What was said as it was said has none, and is compared with nothing.
  if new.gist is not null then
    for known in
      select m.*
      from (select k.* from memory k
            where k.subject_key = key and _gist_key(k.gist) = new.gist and k.superseded_at is null and k.forgotten_at is null
            offset 0) m
      where _is_current(m) and m.id is distinct from standing.id
      order by m.created_at desc
      limit 20
    loop
      relation := _statement_relation(new.content, known.content, names);
      if relation = 'same' and standing.id is null and _may_be_one(new, known)
         and coalesce(_cosine_with(new.content, known) >= _least_cosine(), true) then
        if new.slot is not null and known.slot is null then
          update memory m set slot = new.slot, slot_value = new.slot_value where m.subject_key = key and m.id = known.id
          returning * into known;
        end if;
        return _memory_reinforce(known, attributes - 'content', 'says the same', new.content);
      elsif relation = 'contradicts' then
        refusal := _supersede_reason(known.source_type, known.confidence, new.source_type, new.confidence);
        if refusal is null then
          perform _memory_close(known, 'contradicted', format('denied by "%s"', new.content), new.id);
        else
          -- A caller's own words are kept beside what they deny; what was only read is not.
          if new.job_id is null then
            perform _decide(known, 'rejected', refusal, new.id, new.content);
          else
            perform _decide(known, 'rejected', refusal, null, new.content, jsonb_build_object('memory', jsonb_strip_nulls(to_jsonb(new))), new.job_id);
            return null;
          end if;
        end if;
      end if;
    end loop;
  end if;
  if denied_slot is not null then
    perform _slot_deny(new, denied_slot, attributes -> 'denied_fields');
    new.slot_value := null;
  end if;

  new := _memory_insert(new, standing, embed, case when standing.id is not null then
    case when _is_current(standing) then format('%s: %s', new.slot, _supersede_why(standing, new)) else format('%s: the former value had expired', new.slot) end end);
  if standing.id is not null then
    perform _details_close(standing, new);
  end if;

  -- One look-up in the index for each beginning. With all of them in one condition the planner may read every memory instead.
  if beginnings <> '{}' then
    for known in
      select m.*
      from unnest(beginnings) with ordinality b (gist, length)
      cross join lateral (
        select k.* from memory k
        where k.subject_key = key and _gist_key(k.gist) = b.gist and k.superseded_at is null and k.forgotten_at is null
        offset 0
      ) m
      where m.id <> new.id and _is_current(m) and _statement_relation(new.content, m.content, names) = 'extends'
      order by b.length desc
      limit 1
    loop
      perform _memory_relate(key, new.id, known.id, 'extends', 'says the same and more');
    end loop;
  end if;
  if jsonb_typeof(attributes -> 'derives_from') = 'array' then
    perform _memory_relate(key, new.id, (_memory_or_error(key, origin, null)).id, 'derives', 'concluded from it')
    from jsonb_array_elements_text(attributes -> 'derives_from') origin;
    new.is_inference := true;
  end if;
  return new;
end
$$;

-- "Lives in Berlin with a cat" does not outlive "lives in Berlin": what states the value of a slot, and more, goes with that
-- value, if it is not surer than what took its place or denies it.
create function _details_close(known memory, cause memory) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  detail memory;
begin
  for detail in
    select m.*
    from memory v
    join memory_relation r on r.subject_key = v.subject_key and r.to_id = v.id and r.relation = 'extends'
    join memory m on m.subject_key = r.subject_key and m.id = r.from_id
    where v.subject_key = known.subject_key and v.root_id = known.root_id and _same_value(v.slot_value, known.slot_value)
      and m.superseded_at is null and m.forgotten_at is null and m.slot is null and _same_value(m.slot_value, known.slot_value)
  loop
    if _supersede_reason(detail.source_type, detail.confidence, cause.source_type, cause.confidence) is null then
      perform _memory_close(detail, 'contradicted', format('denied by "%s"', cause.content), cause.id);
    end if;
  end loop;
end
$$;

-- "No longer works at Acme": what stands in the slot, and in the profile fields that are this slot, is forgotten if it is this
-- value and not surer.
create function _slot_deny(denial memory, denied_slot text, fields jsonb) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  known memory;
  refusal text;
begin
  for known in
    select m.* from memory m
    where m.subject_key = denial.subject_key and m.superseded_at is null and m.forgotten_at is null
      and (m.slot = denied_slot
           or m.field_key in (select jsonb_array_elements_text(case jsonb_typeof(fields) when 'array' then fields else '[]' end)))
      and _same_value(coalesce(m.slot_value, m.field_value #>> '{}'), denial.slot_value)
  loop
    refusal := _supersede_reason(known.source_type, known.confidence, denial.source_type, denial.confidence);
    if refusal is not null then
      perform _decide(known, 'rejected', refusal, denial.id, denial.content, '{}', denial.job_id);
    elsif known.field_key is null then
      perform _memory_close(known, 'contradicted', format('denied by "%s"', denial.content), denial.id);
      perform _details_close(known, denial);
    else
      perform _profile_field_close(known, 'contradicted', format('denied by "%s"', denial.content), denial.id);
    end if;
  end loop;
end
$$;
