-- Webhooks: who may register what, what is queued, in which order it goes out, and what becomes of it. The sending itself is
-- tested with a receiver.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

-- what is refused
select webhook_create('ftp://example.com');
select webhook_create(null);
select webhook_create('https://me:secret@example.com/');
select webhook_create('https://example.com:0/');
select webhook_create('http://127.0.0.1/');
select webhook_create('http://[::ffff:10.0.0.1]/');
select webhook_create('https://localhost/');
select webhook_create('http://169.254.169.254/latest/meta-data');
select webhook_create('https://2130706433/');
select webhook_create('https://example.com/', '{memory.created,memory.invented}');
select webhook_create('https://example.com/', '{}');
select webhook_create('https://example.com/', secret => 'whsec_short');

-- the scheme of Standard Webhooks, by the example of its own libraries
select _webhook_signature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');

select id as all_events, signing_secret ~ '^whsec_[A-Za-z0-9+/]{43}=$' as secret from webhook_create('https://example.com/all') \gset
select :'secret' as has_a_secret;
select id as profiles, signing_secret as brought from webhook_create('https://example.com/profiles', '{profile.updated}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') \gset
select :'brought' as brought;
select url, events, is_active, pending, dead, failures, paused_until, last_error from webhook_list();

-- deliveries are queued with the events, of the types that a webhook takes
select memory_add('wh_ann', 'Likes tea') is not null, memory_add('wh_ann', 'Likes cake') is not null, memory_add('wh_bob', 'Likes rum') is not null;
select profile_patch('wh_ann', '[{"field_key": "name", "value": "Ann"}]') is not null;
select w.url, e.type, count(*) from webhook_delivery d join webhook w on w.id = d.webhook_id join event e on e.subject_key = d.subject_key and e.id = d.event_id
group by w.url, e.type order by w.url, e.type;

-- the oldest of each subject goes out first, and the next when its outcome is known
create temp table sent (n integer generated always as identity, subject_key uuid, event_id bigint, webhook_id uuid, url text, message_id text, sent_at bigint, signature text, body text);
insert into sent (subject_key, event_id, webhook_id, url, message_id, sent_at, signature, body) select * from _webhook_claim(10, 10);
select count(*) from _webhook_claim(10, 10);
select s.url, body::jsonb ->> 'type' as type, body::jsonb #>> '{data,subject_id}' as subject, message_id ~ '^evt_[0-9a-f]{32}$' as id,
       message_id = body::jsonb ->> 'id' as same_id, webhook_id::text = body::jsonb ->> 'webhook_id' as webhook,
       signature = _webhook_signature(w.secret, message_id, sent_at, body) as signed
from sent s join webhook w on w.id = webhook_id order by url, subject;
select body::jsonb -> 'data' ->> 'profile_id' as profile_id, body::jsonb -> 'data' -> 'fields' as fields from sent where url like '%profiles';
select jsonb_object_keys(body::jsonb) as members from sent where url like '%profiles' order by 1;

-- delivered; the next event of that subject follows
select _webhook_record(subject_key, event_id, webhook_id, 204, null, null) from sent where url like '%profiles';
select _webhook_record(subject_key, event_id, webhook_id, 200, null, null) from sent where url like '%all' and subject_key = subject_key('wh_ann');
select _webhook_record(subject_key, event_id, webhook_id, 200, null, null) from sent where url like '%all' and subject_key = subject_key('wh_ann');
select body::jsonb ->> 'type' as type, body::jsonb #>> '{data,subject_id}' as subject from _webhook_claim(10, 10) order by 2;

-- refused: tried again later, the same message under the same id, while others go on
select _webhook_record(subject_key, event_id, webhook_id, 400, null, 'the receiver answered 400') from sent where url like '%all' and subject_key = subject_key('wh_bob');
select status, attempts, http_status, error, run_after > now() as later from webhook_delivery where subject_key = subject_key('wh_bob');
select failures, paused_until is null as goes_on, last_error from webhook_list() where url like '%all';
-- overloaded: the whole webhook waits
update webhook_delivery set run_after = now() where subject_key = subject_key('wh_bob');
select message_id = (select message_id from sent where subject_key = subject_key('wh_bob')) as same_id,
       body = (select body from sent where subject_key = subject_key('wh_bob')) as same_body from _webhook_claim(10, 10);
select _webhook_record(subject_key, event_id, webhook_id, 429, 60, 'the receiver answered 429') from webhook_delivery where subject_key = subject_key('wh_bob');
select run_after > now() + interval '50 seconds' as as_asked from webhook_delivery where subject_key = subject_key('wh_bob');
select paused_until > now() + interval '50 seconds' as pauses from webhook_list() where url like '%all';
update webhook_delivery set run_after = now();
select count(*) from _webhook_claim(10, 10);
-- dead after ten attempts; a person may have it sent again
update webhook set paused_until = null;
update webhook_delivery set attempts = 9 where subject_key = subject_key('wh_bob');
select count(*) from _webhook_claim(10, 10);
select _webhook_record(subject_key, event_id, webhook_id, null, null, 'no answer in time') from webhook_delivery where subject_key = subject_key('wh_bob');
select status, attempts, http_status, error, finished_at is not null as over from webhook_delivery where subject_key = subject_key('wh_bob');
select pending, dead from webhook_list() where url like '%all';
select kind, status, jobs, retried, last_error from job_status() where kind = 'webhook';
select webhook_retry(:'all_events');
select status, attempts from webhook_delivery where subject_key = subject_key('wh_bob');
select webhook_retry('00000000-0000-0000-0000-000000000000');
-- gone for good: turned off, and nothing is queued any more
select count(*) from _webhook_claim(10, 10);
select _webhook_record(subject_key, event_id, webhook_id, 410, null, 'the receiver answered 410') from webhook_delivery where subject_key = subject_key('wh_bob');
select is_active from webhook_list() where url like '%all';
select memory_add('wh_bob', 'Likes gin') is not null as added;
select count(*) from webhook_delivery where subject_key = subject_key('wh_bob');

-- what a process had claimed that died is sent again
select webhook_retry(:'all_events') > 0 as on_again;
update webhook_delivery set status = 'sending', worker = 2147483647, locked_until = now() + interval '10 minutes', attempts = 1 where subject_key = subject_key('wh_bob');
select count(*) filter (where subject_key = subject_key('wh_bob')) as claimed from _webhook_claim(10, 10);
select status, attempts from webhook_delivery where subject_key = subject_key('wh_bob');

-- a project sees its own, and no ordinary role a secret
select project_create('wh_other') is not null as created;
create role wh_role;
grant memory_profile_user to wh_role;
select project_bind('wh_other', 'wh_role');
set role wh_role;
select id as other, signing_secret is not null as told from webhook_create('https://example.com/other') \gset
select url from webhook_list();
select secret from webhook;
select memory_add('wh_ann', 'Of another project') is not null as added;
select count(*) from webhook_delivery;
select webhook_delete(:'all_events');
select _webhook_claim(1, 1);
select webhook_delete(:'other');
select count(*) from webhook_delivery;
reset role;
select project_drop('wh_other');
drop role wh_role;

-- erased with the subject, and with the webhook
select profile_erase('wh_bob') -> 'erased' as erased;
select count(*) from webhook_delivery where subject_key = subject_key('wh_bob');
select webhook_delete(:'all_events'), webhook_delete(:'profiles'), webhook_delete(:'profiles');
select count(*) from webhook_delivery;
select profile_erase('wh_ann') -> 'erased' as erased;
