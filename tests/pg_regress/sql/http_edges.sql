-- What clients send at the edges: a slash at the end of a path, texts in which nothing is to be seen, text in place of data, and dates
-- with the offset of a clock.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_edges') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_edges'));

-- a slash at the end is none
select pg_temp.http('POST', '/v3/documents/', '{"content": "I live in Rome.", "containerTag": "slash", "customId": "notes"}') like '200 %' as added;
select pg_temp.json('GET', '/v3/documents/notes/') ->> 'customId' as id, pg_temp.json('GET', '/v3/documents/notes/chunks/') ->> 'total' as chunks;
select pg_temp.json('GET', '/v3/documents/processing/?view=all&limit=5') -> 'totalCount' as total;
select pg_temp.http('PATCH', '/api/v1/profiles/', '{"subject_id": "slash", "updates": [{"field_key": "name", "value": "Una"}]}') like '200 %' as updated;
select pg_temp.json('GET', '/api/v1/profiles/?subject_id=slash') #>> '{data,name}' as name, pg_temp.http('GET', '/api/profiles/slash/') like '200 %' as found;
select pg_temp.http('GET', '/v1/profile/slash%2F') as encoded_slashes_are_part_of_the_id;
select pg_temp.http(verb, path) from (values ('GET', '/'), ('GET', '//'), ('GET', '/v3/documents//'), ('PUT', '/v4/profile/'), ('GET', '/api/v1/'), ('GET', '/api/'), ('GET', '/v1/'), ('GET', '/v4/')) c (verb, path);
select pg_temp.http('DELETE', '/v3/documents/notes/') as deleted, pg_temp.http('DELETE', '/v1/profile/slash/') like '200 %' as erased;

-- nothing to be seen is nothing
select pg_temp.http('POST', path, replace(body, '?', U&'\200B\FEFF\2060')) from (values
  ('/v4/memories', '{"containerTag": "blank", "memories": [{"content": "?"}]}'),
  ('/v4/memories', '{"containerTag": "blank", "memories": [{"content": " ? \u00ad\u200d"}]}'),
  ('/v3/documents', '{"containerTag": "blank", "content": "?"}'),
  ('/v4/search', '{"containerTag": "blank", "q": "?"}'),
  ('/v4/conversations', '{"containerTags": ["blank"], "conversationId": "c", "messages": [{"role": "user", "content": "?"}]}'),
  ('/v1/profile/blank', '{"data": "?"}')) c (path, body);
select pg_temp.json('PATCH', '/api/v1/profiles', replace('{"subject_id": "skipped", "updates": [{"field_key": "name", "value": "?"}]}', '?', U&'\200B')) #> '{data,results}' as refused;
select memory_profile.use_project('http_edges');
select memory_profile.memory_add('blank', U&'\200B\200C');
select memory_profile.memory_add('blank', '');
select memory_profile.learn('blank', U&'\2060 \FEFF');
select memory_profile.document_add('blank', U&'\00AD');
select memory_profile.message_add('blank', 'user', U&'\3164');
select memory_profile.subject_exists('blank');
-- what joins letters, or colours a sign, is part of what is seen
select memory_profile.memory_add('seen', U&'\+01F468\200D\+01F469\200D\+01F467') is not null as added;
select memory_profile.memory_update('seen', (select id from memory_profile.memory_list('seen')), U&'\200B');

-- text in place of data is text, and has no file's name for a title; the same content again is what it was
create function pg_temp.upload(custom_id text, file_name text, media_type text, content text) returns text
language sql
as $$
  select a.status || ' ' || (a.body::jsonb ->> 'status')
  from pg_temp.answer('POST', '/v3/documents/file',
    format(E'--b\r\nContent-Disposition: form-data; name="containerTag"\r\n\r\ntypes\r\n--b\r\nContent-Disposition: form-data; name="customId"\r\n\r\n%s\r\n'
           '--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n--b--\r\n', custom_id, file_name, media_type, content),
    pg_temp.key('all') || '{"x-original-content-type": "multipart/form-data; boundary=b"}') a
$$;
create function pg_temp.types() returns table (document text, type text, title text, status text)
language sql as $$
  select d.custom_id, d.type, d.title, d.status from memory_profile.document d where d.subject_key = memory_profile.subject_key('types') order by d.custom_id
$$;
select pg_temp.upload(id, 'people.csv', 'text/csv', E'name,city\nTom Hardy,Prague') from unnest('{again,patched,sent,sql}'::text[]) id;
select pg_temp.upload('page', 'page.html', 'text/html', '<html><body><h1>Eva</h1><p>I live in Oslo.</p></body></html>');
call memory_profile.run_jobs();
select * from pg_temp.types();
select pg_temp.upload('again', 'people.csv', 'text/csv', E'name,city\nTom Hardy,Prague');
select pg_temp.http('PATCH', '/v3/documents/patched', '{"content": "I live in Rome."}');
select pg_temp.http('POST', '/v3/documents', '{"content": "I live in Bonn.", "containerTag": "types", "customId": "sent"}');
select memory_profile.document_add('types', 'I live in Riga.', 'sql', title => 'Home') is not null as added;
select memory_profile.document_add('types', 'I live in Graz.', 'page') is not null as added;
call memory_profile.run_jobs();
select * from pg_temp.types();
select pg_temp.http('PATCH', '/v3/documents/sent', '{"metadata": {"a": 1}}');
select pg_temp.upload('sent', 'people.csv', 'text/csv', E'name,city\nTom Hardy,Prague');
select memory_profile.document_add('types', 'I live in Kyiv.', 'sql', type => 'notion_doc') is not null as added;
select memory_profile.document_add('types', 'I live in Lviv.', 'sql') is not null as added;
call memory_profile.run_jobs();
select * from pg_temp.types();

-- the day of a document is that of the clock which its date was read from
select memory_profile.project_configure('{"timezone": "America/New_York"}') ->> 'timezone' as timezone;
select pg_temp.http('POST', '/v3/documents', format('{"content": "I have a dentist appointment tomorrow.", "containerTag": "%s", "customId": "d", "documentDate": "%s"}', tag, date)) like '200 %' as added
from (values ('tokyo', '2090-05-08T08:30:00+09:00'), ('home', '2090-05-08T20:30:00-04:00'), ('utc', '2090-05-09T00:30:00Z'), ('moved', '2090-05-08T08:30:00+09:00')) d (tag, date);
call memory_profile.run_jobs();
create function pg_temp.appointments() returns table (subject text, memory text, on_day date)
language sql as $$
  select s.external_id, m.content, (m.event_date at time zone 'UTC')::date
  from memory_profile.memory m join memory_profile.subject s using (subject_key)
  where s.project_id = memory_profile.current_project() and m.content like '%dentist%' and m.superseded_at is null and m.forgotten_at is null order by 1
$$;
select * from pg_temp.appointments();
-- and so is that of a message of a conversation
select pg_temp.http('POST', '/v4/conversations', '{"containerTags": ["spoken"], "conversationId": "c", "messages": [
  {"role": "user", "content": "I have a dentist appointment tomorrow.", "timestamp": "2090-05-08T08:30:00+09:00"}, {"role": "assistant", "content": "Good luck!", "timestamp": "2090-05-07T19:31:00-04:30"}]}') like '200 %' as added;
call memory_profile.run_jobs();
select * from pg_temp.appointments() where subject = 'spoken';
select memory_profile._iso(m.created_at, m.utc_offset) from memory_profile.message m where m.subject_key = memory_profile.subject_key('spoken') order by m.sequence;
select pg_temp.http('PATCH', '/v3/documents/' || d.id, '{"documentDate": "2090-05-07T23:30:00Z"}') from memory_profile.document d where d.subject_key = memory_profile.subject_key('moved');
select memory_profile.document_add('sql', 'I have a dentist appointment tomorrow.', document_date => '2090-05-08 08:30+09', utc_offset => '9 hours') is not null as added;
call memory_profile.run_jobs();
select * from pg_temp.appointments() where subject in ('moved', 'sql');
select memory_profile.document_add('sql', 'x', document_date => now(), utc_offset => '2 days');
-- also behind an export
select memory_profile.profile_export('tokyo') as document \gset
select memory_profile.profile_erase('tokyo') is not null as erased;
select memory_profile.profile_import(:'document') is not null as imported;
select extract(epoch from document_date) = extract(epoch from timestamptz '2090-05-08 08:30+09') as same, utc_offset from memory_profile.document where subject_key = memory_profile.subject_key('tokyo');

select memory_profile.use_project('default');
select memory_profile.project_drop('http_edges') -> 'subjects' as dropped;
