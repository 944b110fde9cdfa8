-- Webhooks: events, sent to whoever a project names. The transaction that records an event queues its deliveries; the
-- background worker alone sends them, since no session of a client should make the server call out. A delivery is claimed
-- in one transaction, sent in none, and its outcome recorded in another: it may be sent twice, by the same id, and is
-- never lost. The events of one subject go to one webhook in their order, each when the one before was taken or given up.
--
-- Headers and signature are those of Standard Webhooks (standardwebhooks.com), so that its libraries verify them.

create table webhook (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references project on delete cascade,
  url text not null,
  events text[],
  secret text not null,
  is_active boolean not null default true,
  failures integer not null default 0,
  paused_until timestamptz,
  created_at timestamptz not null default now()
);
create index webhook_of_project on webhook (project_id);
comment on table webhook is 'Where a project wants its events sent';
comment on column webhook.events is 'The types of event that it takes; NULL means all';
comment on column webhook.secret is 'The key of the signatures; no ordinary role can read it';
comment on column webhook.failures is 'Attempts in a row that failed';
comment on column webhook.paused_until is 'Until when nothing is sent, because the receiver could not be reached or asked for it';

alter table webhook enable row level security;
alter table webhook force row level security;
create policy project_isolation on webhook using (project_id = (select current_project()));

create table webhook_delivery (
  subject_key uuid not null,
  event_id bigint not null,
  webhook_id uuid not null references webhook on delete cascade,
  project_id uuid not null,
  status text not null default 'pending' check (status in ('pending', 'sending', 'delivered', 'dead')),
  attempts integer not null default 0,
  run_after timestamptz not null default now(),
  worker integer,
  locked_until timestamptz,
  http_status integer,
  error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (subject_key, event_id, webhook_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, event_id) references event (subject_key, id) on delete cascade
);
create index webhook_delivery_open on webhook_delivery (webhook_id, event_id) where status in ('pending', 'sending');
create index webhook_delivery_before on webhook_delivery (subject_key, webhook_id, event_id) where status in ('pending', 'sending');
create index webhook_delivery_of_webhook on webhook_delivery (webhook_id, status);
comment on table webhook_delivery is 'Which event was or is to be sent to which webhook, and what became of it';
select _isolate('webhook_delivery');

create function _event_types() returns text[]
language sql immutable parallel safe
as $$
  select '{memory.created,memory.updated,memory.superseded,memory.deleted,profile.updated,profile.rejected}'::text[]
$$;

create function webhook_create(url text, events text[] default null, secret text default null, out id uuid, out signing_secret text)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  unknown text;
begin
  perform _check_webhook_url(url);
  select e into unknown from unnest(events) e where e <> all (_event_types()) or e is null limit 1;
  if found or events = '{}' then
    raise invalid_parameter_value using
      message = case events when '{}' then 'events must not be empty' else format('unknown event type "%s"', unknown) end,
      hint = 'Event types: ' || array_to_string(_event_types(), ', ') || '; NULL means all.';
  end if;
  signing_secret := coalesce(secret, 'whsec_' || translate(encode(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'), E'\n', ''));
  perform _check_webhook_secret(signing_secret);
  id := gen_random_uuid();
  insert into webhook (id, project_id, url, events, secret)
  values (webhook_create.id, _project(), webhook_create.url, webhook_create.events, signing_secret);
end
$$;
comment on function webhook_create(text, text[], text) is
  'Has the events of the current project sent to a URL, all or those of some types, and returns the webhook''s id and its signing secret, '
  'the only time that it can be read; the secret may be brought along: whsec_ and 24 to 64 bytes in base64';

create function webhook_list()
returns table (id uuid, url text, events text[], is_active boolean, pending bigint, dead bigint, failures integer,
               paused_until timestamptz, last_error text, created_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return query
  select w.id, w.url, w.events, w.is_active,
         (select count(*) from webhook_delivery d where d.webhook_id = w.id and d.status in ('pending', 'sending')),
         (select count(*) from webhook_delivery d where d.webhook_id = w.id and d.status = 'dead'),
         w.failures, w.paused_until,
         (select d.error from webhook_delivery d
          where d.webhook_id = w.id and d.status in ('pending', 'sending') and d.error is not null order by d.event_id limit 1),
         w.created_at
  from webhook w
  where w.project_id = _project()
  order by w.created_at, w.id;
end
$$;
comment on function webhook_list() is 'The webhooks of the current project, with how many deliveries are pending or dead, and why nothing gets through';

create function webhook_delete(id uuid) returns boolean
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  delete from webhook w where w.id = webhook_delete.id and w.project_id = _project();
  return found;
end
$$;
comment on function webhook_delete(uuid) is 'Removes a webhook and what is still to be sent to it; false when there is none';

create function webhook_retry(id uuid) returns bigint
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  queued bigint;
begin
  update webhook w set is_active = true, failures = 0, paused_until = null where w.id = webhook_retry.id and w.project_id = _project();
  if not found then
    raise no_data_found using message = 'webhook not found', detail = format('The project has no webhook "%s".', webhook_retry.id);
  end if;
  update webhook_delivery d set status = 'pending', attempts = 0, run_after = now(), finished_at = null
  where d.webhook_id = webhook_retry.id and (d.status = 'dead' or d.status = 'pending' and d.run_after > now());
  get diagnostics queued = row_count;
  return queued;
end
$$;
comment on function webhook_retry(uuid) is
  'Turns a webhook on again, and sends what was given up or is waiting to it at once; returns how many deliveries that are';

create function _webhooks_enqueue(key uuid, project uuid, events bigint[], types text[]) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  insert into webhook_delivery (subject_key, event_id, webhook_id, project_id)
  select key, e.id, w.id, project
  from webhook w cross join unnest(_webhooks_enqueue.events, types) e (id, type)
  where w.project_id = project and w.is_active and (w.events is null or e.type = any (w.events));
end
$$;

-- Sending: what the background worker calls ------------------------------------------------------------------------------

-- Begins to send webhooks in this session: before the first _webhook_claim().
create function _webhook_worker_begin() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _job_worker_begin();
  -- Left by a process of the same number.
  update webhook_delivery d set status = 'pending', worker = null, locked_until = null
  where d.status = 'sending' and d.worker = pg_backend_pid();
end
$$;

-- Claims what is to be sent now, of each webhook the oldest event of some subjects, with the request as it is to be made.
create function _webhook_claim(max_count integer, per_webhook integer)
returns table (subject_key uuid, event_id bigint, webhook_id uuid, url text, message_id text, sent_at bigint, signature text, body text)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  -- Nearly always, and found out more cheaply than by what follows.
  if not exists (select from webhook_delivery d where d.status in ('pending', 'sending')) then
    return;
  end if;
  -- What a process had claimed that did not live to say what became of it is sent again.
  update webhook_delivery d set status = 'pending', worker = null, locked_until = null
  where d.status = 'sending'
    and d.worker is distinct from pg_backend_pid()
    and (d.worker is null or d.locked_until < clock_timestamp()
         or pg_try_advisory_xact_lock_shared(_job_lock_class(), d.worker));
  return query
  with next as (
    select due.*
    from webhook w
    cross join lateral (
      select d.subject_key, d.event_id, d.webhook_id
      from webhook_delivery d
      where d.webhook_id = w.id and d.status = 'pending' and d.run_after <= clock_timestamp()
        and not exists (select from webhook_delivery earlier
                        where earlier.subject_key = d.subject_key and earlier.webhook_id = d.webhook_id
                          and earlier.event_id < d.event_id and earlier.status in ('pending', 'sending'))
      order by d.event_id
      limit greatest(0, per_webhook - (select count(*) from webhook_delivery u where u.webhook_id = w.id and u.status = 'sending'))
      for update skip locked
    ) due
    where w.is_active and (w.paused_until is null or w.paused_until <= clock_timestamp())
    limit max_count
  ), claimed as (
    update webhook_delivery d
    set status = 'sending', attempts = d.attempts + 1, worker = pg_backend_pid(), locked_until = clock_timestamp() + interval '10 minutes'
    from next n
    where d.subject_key = n.subject_key and d.event_id = n.event_id and d.webhook_id = n.webhook_id
    returning d.*
  )
  select c.subject_key, c.event_id, c.webhook_id, w.url, m.id, m.at, _webhook_signature(w.secret, m.id, m.at, m.body), m.body
  from claimed c
  join webhook w on w.id = c.webhook_id
  join event e on e.subject_key = c.subject_key and e.id = c.event_id
  cross join lateral (
    select _event_message_id(e) as id, extract(epoch from clock_timestamp())::bigint as at, _webhook_body(e, w.id) as body
  ) m;
end
$$;

-- The same in every delivery of an event, and of no other: what a receiver can know a repetition by.
create function _event_message_id(e event) returns text
language sql stable
as $$
  select 'evt_' || md5(e.subject_key::text || ':' || e.id)
$$;

-- What is sent: the members that Standard Webhooks recommends, and those that GetProfile-AI's webhooks have.
create function _webhook_body(e event, webhook uuid) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return jsonb_build_object(
    'id', _event_message_id(e), 'type', e.type, 'event', e.type, 'timestamp', _iso(e.created_at), 'created_at', _iso(e.created_at),
    'webhook_id', webhook, 'tenant_id', e.project_id,
    'data', e.data || case when e.type = 'profile.updated' then
        jsonb_build_object('profile_id', e.data -> 'subject_id', 'status', 'ready') else '{}' end)::text;
end
$$;

-- How often an event is sent in vain before it is given up: ten times, over half a day.
create function _webhook_max_attempts() returns integer
language sql immutable parallel safe
as $$
  select 10
$$;

-- Records what became of a claimed delivery. A receiver that cannot be reached or is overloaded is left alone for as long
-- as the delivery waits; one that is gone for good (410) is turned off.
create function _webhook_record(
  key uuid, event bigint, webhook uuid, new_http_status integer, retry_after double precision, new_error text
) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  delivered constant boolean := coalesce(new_http_status between 200 and 299, false);
  reachable constant boolean := coalesce(new_http_status < 500 and new_http_status not in (408, 429), false);
  this webhook_delivery;
  pause interval;
begin
  select * into this from webhook_delivery d
  where d.subject_key = key and d.event_id = event and d.webhook_id = webhook and d.status = 'sending' and d.worker = pg_backend_pid()
  for update;
  if not found then
    return 'gone';
  end if;
  pause := greatest(least(5 * power(3, this.attempts - 1), 43200) * (0.75 + random() / 2), least(coalesce(retry_after, 0), 86400)) * interval '1 second';
  this.status := case when delivered then 'delivered' when new_http_status = 410 or this.attempts >= _webhook_max_attempts() then 'dead' else 'pending' end;
  update webhook_delivery d
  set status = this.status, http_status = new_http_status, error = new_error, worker = null, locked_until = null,
      run_after = clock_timestamp() + case this.status when 'pending' then pause else interval '0' end,
      finished_at = case when this.status <> 'pending' then clock_timestamp() end
  where d.subject_key = key and d.event_id = event and d.webhook_id = webhook;
  update webhook w
  set failures = case when delivered then 0 else w.failures + 1 end,
      is_active = w.is_active and new_http_status is distinct from 410,
      paused_until = case when not reachable then greatest(w.paused_until, clock_timestamp() + least(pause, interval '5 minutes')) end
  where w.id = webhook and (not delivered or w.failures > 0 or w.paused_until is not null);
  return this.status;
end
$$;
