-- The profile routes of Mnexium: formats, the supersede rule, what is skipped and what is refused.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_mnexium') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_mnexium'));
insert into test_key values ('reader', memory_profile.api_key_create('http_mnexium', scopes => '{profiles:read}'));
insert into test_key values ('writer', memory_profile.api_key_create('http_mnexium', scopes => '{profiles:write}'));
insert into test_key values ('deleter', memory_profile.api_key_create('http_mnexium', scopes => '{delete}'));

-- keys and scopes
select pg_temp.http('GET', '/api/v1/profiles?subject_id=u', null, 'nobody');
insert into test_key values ('expired', memory_profile.api_key_create('http_mnexium', expires_at => now() - interval '1 day'));
select pg_temp.http('GET', '/api/v1/profiles?subject_id=u', null, 'expired');
insert into test_key values ('revoked', memory_profile.api_key_create('http_mnexium'));
select memory_profile.api_key_revoke(key) from test_key where name = 'revoked';
select pg_temp.http('GET', '/api/v1/profiles?subject_id=u', null, 'revoked');
select k.name, r.verb, (pg_temp.answer(r.verb, '/api/v1/profiles?subject_id=u&field_key=x', '{"subject_id": "u", "updates": []}', pg_temp.key(k.name))).status
from (values ('all'), ('reader'), ('writer'), ('deleter')) k (name), (values ('GET'), ('PATCH'), ('DELETE')) r (verb)
order by k.name, r.verb;
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "u", "updates": []}', 'reader');

-- a subject never seen
select pg_temp.http('GET', '/api/v1/profiles?subject_id=nobody');
select pg_temp.http('DELETE', '/api/v1/profiles?subject_id=nobody&field_key=name');
select pg_temp.http('GET', '/api/profiles/nobody');

-- fields written and read back
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user_123", "updates": [
  {"field_key": "name", "value": "Sarah Chen", "confidence": 1.0}, {"field_key": "timezone", "value": "America/New_York"}]}');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123&format=full');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123&format=other');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=%20user_123+');

-- who wins: manual over all, else the surer, at the same confidence the newer
select v.confidence, v.value, pg_temp.json('PATCH', '/api/v1/profiles',
  format('{"subject_id": "user_123", "updates": [{"field_key": "email", "value": "%s@example.com", "confidence": %s}]}', v.value, v.confidence)) #> '{data,results,0}' as result
from (values (1, '0.5', 'a'), (2, '0.4', 'b'), (3, '0.5', 'c'), (4, '1.0', 'd'), (5, '0.99', 'e'), (6, 'null', 'f'), (7, '1.0', 'g')) v (turn, confidence, value)
order by turn;
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123');

-- skipped, not failed
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user_123", "updates": [
  {"field_key": "shoe_size", "value": 38}, {"field_key": "email", "value": "not an address", "confidence": 1.0}, {"field_key": "timezone", "value": "Mars/Olympus"},
  {"field_key": "name", "value": null, "confidence": 1.0}, {"field_key": "language", "value": "English", "confidence": 1.5}, {"field_key": "language", "value": "English", "confidence": "high"},
  {"field_key": "language", "value": "English"}, {"field_key": "language", "value": "French"}]}');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123');
begin;
update memory_profile.project set settings = '{"unknown_fields": "create"}' where name = 'http_mnexium';
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user_123", "updates": [{"field_key": "shoe_size", "value": 38}]}');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123');
rollback;

-- refused, with nothing applied
select pg_temp.http('PATCH', '/api/v1/profiles', body) from (values
  (''), ('{'), ('[]'), ('{}'), ('{"subject_id": " "}'), ('{"subject_id": 5, "updates": []}'), ('{"subject_id": "user_123"}'), ('{"subject_id": "user_123", "updates": {}}'),
  ('{"subject_id": "user_123", "updates": [5]}'), ('{"subject_id": "user_123", "updates": [{"field_key": "name", "value": "Eve", "confidence": 1.0}, {"field_key": "name"}]}'),
  ('{"subject_id": "user_123", "updates": [{"value": "x"}]}'), ('{"subject_id": "user_123", "updates": [{"field_key": " ", "value": "x"}]}'),
  ('{"subject_id": "new one", "updates": []}')
) b (body);
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123');
select pg_temp.http('GET', '/api/v1/profiles');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=');
select pg_temp.http('DELETE', '/api/v1/profiles?field_key=name');
select pg_temp.http('DELETE', '/api/v1/profiles?subject_id=user_123');
select pg_temp.http('GET', '/api/profiles/new%20one');

-- deleting: gone, no older value comes back, anything may be written afterwards
select pg_temp.http('DELETE', '/api/v1/profiles?subject_id=user_123&field_key=email');
select pg_temp.http('DELETE', '/api/v1/profiles?subject_id=user_123&field_key=email');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user_123');
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user_123", "updates": [{"field_key": "email", "value": "z@example.com", "confidence": 0.1}]}');

-- any subject id
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user-123_test.email@domain.com/é+1", "updates": [{"field_key": "name", "value": "Zoë"}]}');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user-123_test.email%40domain.com%2F%C3%A9%2B1&subject_id=user-123_test.email%40domain.com%2F%C3%A9%2B1');

-- the schema
select pg_temp.http('GET', '/api/v1/profiles/schema');
select pg_temp.http('GET', '/api/v1/profiles/nonesuch');
select pg_temp.http('POST', '/api/v1/profiles');

select memory_profile.project_drop('http_mnexium');
