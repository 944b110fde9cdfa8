-- Events of memories, by triggers, so that no writer can forget them. A memory's text is not part of its events: what is
-- forgotten would live on in them.

create function _memory_event(m memory, event_type text, more jsonb default '{}') returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _emit(m.subject_key, event_type, jsonb_strip_nulls(jsonb_build_object(
    'memory_id', m.id, 'kind', m.kind, 'field_key', m.field_key, 'version', m.version) || more));
end
$$;

-- Of a whole statement at once, since much is written in one. A memory that this transaction makes was created since its
-- beginning. Rows that a dump or an import brings back are older: their events happened before.
create function _memory_events_created() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  written record;
begin
  for written in
    select m.subject_key,
           array_agg(case when m.parent_id is null then 'memory.created' else 'memory.updated' end order by m.created_at, m.id) as types,
           array_agg(jsonb_strip_nulls(jsonb_build_object('memory_id', m.id, 'kind', m.kind, 'field_key', m.field_key,
                                                          'version', m.version, 'previous_id', m.parent_id))
                     order by m.created_at, m.id) as payloads
    from created m
    where m.created_at >= now()
    group by m.subject_key
  loop
    perform _emit_all(written.subject_key, written.types, written.payloads);
  end loop;
  return null;
end
$$;

create function _memory_event_changed() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if old.superseded_at is null and new.superseded_at is not null then
    perform _memory_event(new, 'memory.superseded', jsonb_build_object('superseded_by', new.superseded_by));
  elsif old.forgotten_at is null and new.forgotten_at is not null then
    perform _memory_event(new, 'memory.deleted', jsonb_build_object('reason', new.forget_reason));
  else
    perform _memory_event(new, 'memory.updated');
  end if;
  return null;
end
$$;

create trigger memory_events_created
after insert on memory referencing new table as created for each statement
execute function _memory_events_created();

create trigger memory_event_changed
after update on memory for each row
when ((old.superseded_at, old.forgotten_at, old.forget_after, old.is_static, old.review_status, old.metadata) is distinct from
      (new.superseded_at, new.forgotten_at, new.forget_after, new.is_static, new.review_status, new.metadata))
execute function _memory_event_changed();
