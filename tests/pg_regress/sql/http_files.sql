-- Supermemory: documents that are sent as files, and the settings of a project.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_files') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_files')), ('writer', memory_profile.api_key_create('http_files', scopes => '{memories:write,read}')),
  ('limited', memory_profile.api_key_create('http_files', subjects => '{user_1}'));

-- A form with the boundary "b": fields as pairs of name and value, then the file.
create function pg_temp.form(fields text[], file_name text, media_type text, content text) returns text
language sql
as $$
  select coalesce((select string_agg(format(E'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n', fields[i], fields[i + 1]), '' order by i)
                   from generate_series(1, cardinality(fields), 2) i), '')
    || case when file_name is null then '' else
         format(E'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n', file_name, media_type, content) end
    || E'--b--\r\n'
$$;
create function pg_temp.upload(fields text[], file_name text, media_type text, content text, content_type text default 'multipart/form-data; boundary=b') returns text
language sql
as $$
  select concat_ws(' ', a.status, pg_temp.masked(a.body))
  from pg_temp.answer('POST', '/v3/documents/file', pg_temp.form(fields, file_name, media_type, content),
                      pg_temp.key('all') || jsonb_build_object('x-original-content-type', content_type)) a
$$;

select pg_temp.upload('{containerTag,user_1,customId,notes,metadata,"{\"kind\": \"notes\"}"}', 'About Ann.md', 'text/markdown', E'# Ann\n- Lives in Rome\n- Works at Acme');
select pg_temp.upload('{containerTag,user_2}', 'page.html', 'text/html', '<html><head><title>no</title></head><body><h1>Eva</h1><p>I live in Oslo &amp; I love <b>tea</b>.</p><script>I hate tea</script></body></html>');
select pg_temp.upload('{containerTag,user_3}', 'people.csv', 'text/csv', E'name,city\nTom Hardy,Prague');
select pg_temp.upload('{}', 'data.json', 'application/json', '{"name": "Zoe", "job": "pilot"}');
call memory_profile.run_jobs();
select memory_profile.use_project('http_files');
select s.external_id, d.type, d.title, d.custom_id, d.status, d.metadata
from memory_profile.document d join memory_profile.subject s using (subject_key) where d.project_id = memory_profile.current_project() order by 1;
select s.external_id, m.content from memory_profile.memory m join memory_profile.subject s using (subject_key) where m.project_id = memory_profile.current_project() order by 1, 2;

-- refused, and nothing written
select pg_temp.upload('{containerTag,user_4}', 'a.pdf', 'application/pdf', '%PDF-1.7');
select pg_temp.upload('{containerTag,user_4}', null, null, null);
select pg_temp.upload('{containerTag,user_4}', '', 'application/octet-stream', '');
select pg_temp.upload('{containerTag,user_4}', 'a.txt', 'text/plain', ' ');
select pg_temp.upload('{containerTag,user_4,metadata,"{"}', 'a.txt', 'text/plain', 'x');
select pg_temp.upload('{containerTag,user_4,metadata,[1]}', 'a.txt', 'text/plain', 'x');
select pg_temp.upload('{containerTag,user 4}', 'a.txt', 'text/plain', 'x');
select pg_temp.upload('{containerTag,user_4}', 'a.txt', 'text/plain', repeat('x', 1100000));
select pg_temp.upload('{containerTag,user_4}', 'a.txt', 'text/plain', 'x', 'multipart/form-data; boundary=other');
select pg_temp.http('POST', '/v3/documents/file', '{"content": "x"}');
select pg_temp.http('POST', '/v3/documents/file', '', 'nobody');
select memory_profile.subject_exists('user_4');

-- settings
select pg_temp.http('GET', '/v3/settings');
select pg_temp.http('PATCH', '/v3/settings', '{"shouldLLMFilter": true, "filterPrompt": "Note allergies.", "profileBuckets": [{"key": "health", "description": "Allergies and medication"}], "includeItems": []}');
select pg_temp.http('GET', '/v3/settings');
select pg_temp.http('PATCH', '/v3/settings', body) from (values ('{"chunkSize": 512}'), ('{"excludeItems": ["spam"]}'), ('{"profileBuckets": [{"key": "static", "description": "x"}]}'), ('{"filterPrompt": 5}'), ('[]')) b (body);
select pg_temp.http('PATCH', '/v3/settings', '{"filterPrompt": "x"}', 'writer');
select pg_temp.http('PATCH', '/v3/settings', '{"filterPrompt": "x"}', 'limited');
select pg_temp.http('GET', '/v3/settings', null, 'writer') like '200 %' as may_read;
select pg_temp.http('PATCH', '/v3/settings', '{"shouldLLMFilter": false, "profileBuckets": null}');
select pg_temp.http('GET', '/v3/settings');
select memory_profile.use_project('default');
select memory_profile.project_drop('http_files') -> 'subjects' as dropped;
