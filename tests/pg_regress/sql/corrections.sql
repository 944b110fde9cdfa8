-- What users correct: plans that are called off or moved, the days of their time zone, their names; and documents that are
-- replaced, or are web pages.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';
set timezone = 'UTC';
select project_create('corrections') is not null as created;
select use_project('corrections');

create procedure pg_temp.learn(subject text, said text)
language plpgsql as $$
begin
  perform memory_profile.learn(subject, said, 'chat');
  commit;
  call memory_profile.run_jobs();
end
$$;
create function pg_temp.plans(subject text) returns table (memory text, version integer, on_day date, until timestamptz)
language sql as $$
  select m.content, m.version, m.event_date::date, m.forget_after from memory_profile.memory m
  where m.subject_key = memory_profile.subject_key(subject) and m.superseded_at is null and m.forgotten_at is null and m.field_key is null
  order by m.created_at
$$;
create function pg_temp.decided(subject text) returns table (decision text, about text, reason text, undone boolean)
language sql as $$
  select d.decision, d.memory, d.reason, d.undone_at is not null from memory_profile.memory_decisions(subject) d order by d.id
$$;

-- a plan that is called off is forgotten softly; the way back is open
call pg_temp.learn('cal', 'I have a dentist appointment on 12 May 2090. I have a meeting with Bob on 13 May 2090. I have a meeting with Eve on 14 May 2090.');
select * from pg_temp.plans('cal');
call pg_temp.learn('cal', 'My dentist appointment got cancelled.');
select * from pg_temp.plans('cal');
select * from pg_temp.decided('cal');
select memory_undo('cal', (select max(id) from memory_decisions('cal') where decision = 'contradicted')) is not null as undone;
select memory, version from pg_temp.plans('cal') where memory like '%12 May%';

-- a plan that is moved is superseded by its new day
call pg_temp.learn('cal', 'My meeting with Bob was moved to 20 May 2090.');
select * from pg_temp.plans('cal') where memory like '%Bob%';
select reason from memory_history('cal', (select id from memory_list('cal') where memory like '%Bob%')) order by version;

-- or is moved by so much, from the day that only it knows; said again it is moved no further
call pg_temp.learn('shift', 'I have a dentist appointment on 12 May 2090. I have a meeting with Eve on 31 May 2090.');
call pg_temp.learn('shift', 'My dentist appointment was pushed back a week.');
call pg_temp.learn('shift', 'My dentist appointment was pushed back a week!');
call pg_temp.learn('shift', 'My meeting with Eve was moved up a month.');
select * from pg_temp.plans('shift');

-- of two plans that are named alike none is meant; the day tells them apart
call pg_temp.learn('cal', 'My meeting was cancelled.');
call pg_temp.learn('cal', 'My meeting on 14 May 2090 was postponed.');
select memory from pg_temp.plans('cal') where memory like '%Eve%' or memory like '%Bob%';

-- what nobody planned leaves no trace, unless it is the subject's own
call pg_temp.learn('cal', 'The concert was cancelled. My gym membership was cancelled.');
select memory from pg_temp.plans('cal') where memory like '%oncert%' or memory like '%gym%';

-- what is surer stays
select memory_add('cal', 'Picnic by the lake', kind => 'event', forget_after => '2090-06-01', confidence => 0.99) is not null as added;
call pg_temp.learn('cal', 'The picnic by the lake was cancelled.');
select memory from pg_temp.plans('cal') where memory ilike '%picnic%';
select * from pg_temp.decided('cal') where decision = 'rejected';

-- German
select project_configure('{"language": "de"}') ->> 'language' as language;
call pg_temp.learn('kalle', 'Ich habe am 12. Mai 2090 einen Zahnarzttermin. Ich fliege am 13. Mai 2090 nach Rom.');
call pg_temp.learn('kalle', 'Mein Zahnarzttermin wurde auf den 20. Mai 2090 verschoben. Ich habe die Reise nach Rom abgesagt.');
select * from pg_temp.plans('kalle');
select project_configure('{"language": null}') ->> 'language' as language;

-- a plan ends with its day: in UTC, in the time zone of the project, in that of the subject
call pg_temp.learn('zone', 'I am flying to Rome on 12 May 2090.');
select project_configure('{"timezone": "Asia/Tokyo"}') ->> 'timezone' as timezone;
call pg_temp.learn('zone', 'I am flying to Oslo on 12 May 2090.');
select profile_patch('zone', '[{"field_key": "timezone", "value": "America/New_York"}]') is not null as patched;
call pg_temp.learn('zone', 'I am flying to Bern on 12 May 2090.');
select * from pg_temp.plans('zone');
select project_configure('{"timezone": "Europe/Atlantis"}');
select project_configure('{"timezone": null}') ? 'timezone' as has_timezone;

-- and begins in it: the evening of one day is the morning of the next elsewhere
call pg_temp.learn('evening', '[{"role": "user", "content": "I met Ann today.", "timestamp": "2024-05-07T23:30:00-07:00"}]');
select profile_patch('evening', '[{"field_key": "timezone", "value": "America/Los_Angeles"}]') is not null as patched;
call pg_temp.learn('evening', '[{"role": "user", "content": "I met Bob today.", "timestamp": "2024-05-08T06:30:00Z"}]');
select memory from pg_temp.plans('evening');

-- a new form of a name: what was said under the old one is known as said of the same person
call pg_temp.learn('kate', 'My name is Katherine Hill. I like tea. I live in Rome.');
call pg_temp.learn('kate', 'I go by Kate now.');
select profile_get('kate') ->> 'name' as name;
call pg_temp.learn('kate', 'I am fond of tea. I don''t live in Rome any more.');
select memory from memory_list('kate') order by 1;
select memory, decision from memory_decisions('kate') where decision in ('reinforced', 'contradicted') order by id;
call pg_temp.learn('kate', E'Katherine: I work at Acme.\nBob: I work at Umbrella.\nKatherine: Thanks, Bob!');
select memory from memory_list('kate') where memory like '%work%';
select memory from memory_search('kate', 'what does Kate like?', 0, max_results => 1);

-- another name altogether: the older sentences stay as they were said, and are found by what they say
call pg_temp.learn('robin', 'My name is Tom Hill. I play the violin.');
call pg_temp.learn('robin', 'I changed my name to Robin.');
select profile_get('robin') ->> 'name' as name;
select memory from memory_search('robin', 'which instrument does Robin play?', 0, max_results => 1);

-- a title that was drawn from the content goes with it, one that was given stays
select document_add('title', E'# Old heading\n\nI live in Rome.', 'drawn') is not null as added,
       document_add('title', E'# Old heading\n\nI live in Rome.', 'given', title => 'Given') is not null as added;
call run_jobs();
select document_add('title', E'# New heading\n\nI live in Oslo.', 'drawn') is not null as added,
       document_add('title', E'# New heading\n\nI live in Oslo.', 'given') is not null as added;
call run_jobs();
select custom_id, title from document where subject_key = subject_key('title') order by 1;

-- a string that is a web page is read as its text
select document_add('page', '<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body><h1>Ida</h1><ul><li>Lives in <b>Rome</b></li></ul></body></html>', 'page') is not null as added,
       document_add('page', E'<p align="center">Logo</p>\n\n# Notes', 'notes') is not null as added;
select custom_id, type, content from document where subject_key = subject_key('page') order by 1;
select document_add('page', '<html><script>1</script></html>', 'empty');
select learn('page', '<div><p>I love <b>climbing</b>.</p></div>') is not null as queued;
call run_jobs();
select memory from memory_list('page') order by 1;

-- a city with a region that it does not lie in is another city
call pg_temp.learn('rome', 'I live in Rome, Georgia.');
select profile_get('rome');
call pg_temp.learn('paris', 'I live in Paris, Texas.');
select profile_get('paris');

select (project_drop('corrections') ->> 'subjects')::int > 0 as dropped;
