-- Many memories at once: what is written together, and that it is no different.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';
select project_create('batches') is not null as created;
select use_project('batches');

-- what is written together says what it would have said one by one: new, the same, a paraphrase, a denial, a detail, before and after
create temp table said (place integer, text text);
insert into said select row_number() over (), text from unnest(array[
  'User went to Rome in May', 'User likes green tea', 'User has a dog', 'User likes green tea', 'User has a dog named Rex', 'User does not like green tea',
  'Is it late?', 'User went to Rome in May with her sister', 'User is allergic to nuts', 'User has a cat']) text;
select count(memory_add('batch_one_by_one', text)) as one_by_one from (select text from said order by place) s;
select count(*) as together from memories_add('batch_together', (select jsonb_agg(jsonb_build_object('content', text) order by place) from said));
select count(*) as in_two from memories_add('batch_in_two', (select jsonb_agg(jsonb_build_object('content', text) order by place) from said where place <= 3));
select count(*) as in_two from memories_add('batch_in_two', (select jsonb_agg(jsonb_build_object('content', text) order by place) from said where place > 3));
create function pg_temp.known(subject text) returns setof text language sql set search_path = memory_profile as $$
  select concat_ws(' | ', m.content, m.seen_count, m.forget_reason,
                   (select string_agg(r.relation || ' ' || o.content, ', ' order by o.content) from memory_relation r join memory o on o.subject_key = r.subject_key and o.id = r.to_id
                    where r.subject_key = m.subject_key and r.from_id = m.id))
  from memory m where m.subject_key = subject_key(subject) order by m.ordinal
$$;
select * from pg_temp.known('batch_one_by_one') as known;
select array(select pg_temp.known('batch_one_by_one')) = array(select pg_temp.known('batch_together')) as together,
       array(select pg_temp.known('batch_one_by_one')) = array(select pg_temp.known('batch_in_two')) as in_two;
select count(*) = count(distinct m.created_at) as ascending,
       array_agg(m.id order by m.created_at) = array_agg(m.id order by e.id) as events_in_order
from memory m join event e on e.subject_key = m.subject_key and e.data ->> 'memory_id' = m.id and e.type = 'memory.created'
where m.subject_key = subject_key('batch_together');
-- each has its place in the signatures
select count(*) = 9 as signed, bool_and(position(convert_to(m.id, 'UTF8') in s.signatures) > 0) as found
from memory m join memory_signature s on s.subject_key = m.subject_key and s.block = m.signature_block and s.part = 0
where m.subject_key = subject_key('batch_together');
select count(*) as blocks_filled from memories_add('batch_blocks', (select jsonb_agg(jsonb_build_object('content', 'User visited the town number ' || n)) from generate_series(1, 150) n));
select bool_and(octet_length(signatures) <= _signature_block_size()) as none_too_long, count(*) < 20 as packed from memory_signature where subject_key = subject_key('batch_blocks');

-- what is not an object, or not well formed, changes nothing
select memories_add('batch_none', '[{"content": "User likes tea"}, [{"content": "User likes rum"}]]');
select memories_add('batch_none', '[{"content": "User likes tea"}, {"content": " "}]');
select count(*) from memories_add('batch_none', '[]');
select count(*) from memory where subject_key = subject_key('batch_none');

select project_drop('batches');

-- what is encoded ahead is what would be encoded, for this model, and only until others are
set memory_profile.embedding_model = 'all-MiniLM-L6-v2';
create temporary table encoded as select * from _encode('Ann drinks tea');
select _encode_ahead('{Ann drinks tea,Ann drinks coffee}');
select e.code = a.code and e.embedding = a.embedding and e.tokens = a.tokens as same from encoded e, _encode('Ann drinks tea') a;
select e.code = a.code as same from encoded e, _encode('Ann drinks coffee') a;
select _encode_ahead('{}');
select e.code = a.code and e.embedding = a.embedding and e.tokens = a.tokens as same from encoded e, _encode('Ann drinks tea') a;
set memory_profile.embedding_model = '';
select _encode_ahead('{Ann drinks tea}');
select count(*) from _encode('Ann drinks tea');
