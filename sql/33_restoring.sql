-- What became of decisions and of what they forgot: decisions are read and undone, what is forgotten can be restored, until it
-- is purged; what has a date on which it ends is forgotten then.

create function memory_decisions(subject text, memory_id text default null, max_results integer default 100, skip integer default 0)
returns table (id bigint, about text, memory text, decision text, reason text, other_id text, content text,
               created_at timestamptz, undone_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
#variable_conflict use_column
declare
  key constant uuid := subject_key(subject);
  root text;
begin
  if memory_decisions.memory_id is not null then
    root := (_memory_or_error(key, memory_decisions.memory_id, null)).root_id;
  end if;
  return query
  select d.id, d.memory_id, m.content, d.decision, d.reason, d.other_id, d.content, d.created_at, d.undone_at
  from decision d
  join memory m on m.subject_key = d.subject_key and m.id = d.memory_id
  where d.subject_key = key and (root is null or m.root_id = root)
  order by d.id desc
  limit max_results offset skip;
end
$$;
comment on function memory_decisions(text, text, integer, integer) is
  'What was decided about the memories of a subject, or about one of them in all its versions, newest first: reinforced, superseded, extended, '
  'derived, contradicted, rejected, forgotten, expired or restored, each with its reason; memory_undo() takes a decision back';

-- Brings back what a row said, as a new version: the past stays what it was. The version goes on from what stands in
-- the same field or slot now, or else from the end of its own chain.
create function _memory_revive(target memory, why text) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  new memory := target;
  predecessor memory;
begin
  select * into predecessor from memory m
  where m.subject_key = target.subject_key and m.superseded_at is null and m.forgotten_at is null
    and (m.field_key = target.field_key or m.slot = target.slot)
  limit 1;
  if not found then
    select * into predecessor from memory m
    where m.subject_key = target.subject_key and m.root_id = target.root_id and m.superseded_at is null
    order by m.version desc limit 1;
  end if;
  new.id := null;
  new.version := null;
  new.parent_id := null;
  new.root_id := null;
  new.superseded_at := null;
  new.superseded_by := null;
  new.forgotten_at := null;
  new.forget_reason := null;
  new.forget_after := case when target.forget_after > now() then target.forget_after end;
  new.created_at := null;
  new.updated_at := null;
  new := _memory_insert(new, predecessor, true, why);
  perform _decide(new, 'restored', why, target.id);
  if new.field_key is not null then
    perform _emit(new.subject_key, 'profile.updated', jsonb_build_object(
      'subject_id', (select s.external_id from subject s where s.subject_key = new.subject_key),
      'fields', jsonb_build_object(new.field_key, new.field_value), 'updated_at', _iso(now())));
  end if;
  return new;
end
$$;

create function memory_restore(subject text, id text, reason text default null) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
  target memory;
begin
  select * into target from memory m where m.subject_key = key and m.id = memory_restore.id;
  if target.id is null then
    perform _memory_or_error(key, memory_restore.id, null);
  elsif _is_current(target) then
    return target.id;
  end if;
  return (_memory_revive(target, coalesce(reason, 'restored'))).id;
end
$$;
comment on function memory_restore(text, text, text) is
  'Brings a forgotten or expired memory, or an earlier version, back as a new version, and returns its id; what stands in the same '
  'profile field or slot is superseded. The id itself where the memory is current';

create function memory_undo(subject text, decision_id bigint) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
  this decision;
  about memory;
  other memory;
  written memory;
  why text;
begin
  select * into this from decision d where d.subject_key = key and d.id = decision_id for update;
  if this.id is null then
    raise no_data_found using message = 'decision not found', detail = format('The subject has no decision %s.', decision_id);
  elsif this.undone_at is not null then
    raise object_not_in_prerequisite_state using
      message = 'decision is already undone', detail = format('Decision %s was undone at %s.', this.id, _iso(this.undone_at));
  end if;
  why := format('undoes "%s: %s"', this.decision, this.reason);
  select * into about from memory m where m.subject_key = key and m.id = this.memory_id;
  select * into other from memory m where m.subject_key = key and m.id = this.other_id;
  case
    when this.decision = 'reinforced' then
      update memory m
      set seen_count = greatest(m.seen_count - 1, 1), importance = coalesce((b.before).importance, m.importance),
          is_static = coalesce((b.before).is_static, m.is_static),
          forget_after = case when b.before is null then m.forget_after else (b.before).forget_after end
      from (select case when not exists (select from decision d where d.subject_key = key and d.memory_id = this.memory_id and d.id > this.id
                                         and d.decision = 'reinforced' and d.undone_at is null)
                   then jsonb_populate_record(null::memory, this.details -> 'before') end as before) b
      where m.subject_key = key and m.id = this.memory_id;
      -- The text that was taken for a paraphrase becomes a memory of its own.
      if this.content is not null then
        written := jsonb_populate_record(null::memory, this.details -> 'memory');
        written.subject_key := key;
        written.content := this.content;
        written.slot := null;
        written := _memory_insert(written);
      end if;
    when this.decision in ('extended', 'derived') then
      delete from memory_relation r
      where r.subject_key = key and r.from_id = this.memory_id and r.to_id = this.other_id
        and r.relation = case this.decision when 'extended' then 'extends' else 'derives' end;
    when this.decision = 'rejected' and this.details ? 'memory' then
      written := jsonb_populate_record(null::memory, this.details -> 'memory');
      written.subject_key := key;
      written.id := null;
      written := _memory_revive(written, why);
      if _is_current(about) and _statement_relation(written.content, about.content, _subject_names(key)) = 'contradicts' then
        perform _memory_close(about, 'contradicted', why, written.id);
      end if;
    when not _is_current(about) and this.decision in ('forgotten', 'contradicted', 'expired') and about.superseded_at is null then
      written := _memory_revive(about, why);
    when this.decision = 'superseded' and _is_current(about) then
      written := _memory_revive(other, why);
    when this.decision = 'restored' and _is_current(about) then
      written := _memory_close(about, 'forgotten', why);
    else
      raise object_not_in_prerequisite_state using
        message = format('decision %s can no longer be undone', this.id),
        detail = 'The memory it was about has changed since, or nothing was written down to undo it by.',
        hint = 'memory_profile.memory_history() has its versions, and memory_restore() brings any of them back.';
  end case;
  update decision d set undone_at = clock_timestamp() where d.subject_key = key and d.id = decision_id;
  update subject s set updated_at = now() where s.subject_key = key and s.updated_at <> now();
  return coalesce(written.id, this.memory_id);
end
$$;
comment on function memory_undo(text, bigint) is
  'Takes back a decision that memory_decisions() lists, and returns the id of the memory that stands: what was replaced, denied or forgotten comes '
  'back as a new version, a text that was taken for a paraphrase becomes a memory of its own, and what was rejected is written';

-- Expiry and purging -----------------------------------------------------------------------------------------------------

create function memories_expire(max_memories integer default 10000) returns integer
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid;
  known memory;
  expired integer := 0;
begin
  for key in
    select m.subject_key
    from memory m
    where m.forget_after <= now() and m.field_key is null and m.superseded_at is null and m.forgotten_at is null
    group by m.subject_key
    limit max_memories
  loop
    -- Whoever holds the subject is not waited for: what has expired is not current in the meantime either.
    perform from subject s where s.subject_key = key for update skip locked;
    continue when not found;
    for known in
      select m.* from memory m
      where m.subject_key = key and m.forget_after <= now() and m.field_key is null and m.superseded_at is null and m.forgotten_at is null
      limit max_memories - expired
    loop
      perform _memory_close(known, 'expired', coalesce(known.forget_reason, 'its time has passed'), null, known.forget_after);
      expired := expired + 1;
    end loop;
    exit when expired >= max_memories;
  end loop;
  return expired;
end
$$;
comment on function memories_expire(integer) is
  'Writes down which memories have expired: they are forgotten as of their forget_after. Returns how many. The job queue calls it; nothing depends on when';

create function memories_purge(older_than interval default null) returns integer
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid;
  chain memory;
  blocks bigint[];
  purged integer := 0;
begin
  for key in
    select distinct m.subject_key
    from memory m
    join project p on p.id = m.project_id
    where m.superseded_at is null
      and m.forgotten_at < now() - coalesce(older_than, make_interval(days => (p.settings ->> 'keep_forgotten_days')::integer))
  loop
    perform from subject s where s.subject_key = key for update skip locked;
    continue when not found;
    blocks := '{}';
    for chain in
      select m.*
      from memory m
      join project p on p.id = m.project_id
      where m.subject_key = key and m.superseded_at is null
        and m.forgotten_at < now() - coalesce(older_than, make_interval(days => (p.settings ->> 'keep_forgotten_days')::integer))
    loop
      perform _memory_unsign(chain);
      blocks := blocks || array(select m.signature_block from memory m where m.subject_key = key and m.root_id = chain.root_id);
      delete from memory m where m.subject_key = key and m.root_id = chain.root_id;
      purged := purged + 1;
    end loop;
    perform _memory_digests_cleared(key, blocks);
  end loop;
  return purged;
end
$$;
comment on function memories_purge(interval) is
  'Removes for good, with all their versions, what was forgotten longer ago than this, or than the project''s setting keep_forgotten_days, and returns '
  'how many memories; without either, nothing is ever purged';

-- What the job queue does when it has nothing else to do.
create function _maintain() returns integer
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return memories_expire() + memories_purge();
end
$$;
