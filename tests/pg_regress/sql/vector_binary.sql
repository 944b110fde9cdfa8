-- The binary form: COPY, malformed messages, random messages and random texts.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

select vector_send('[1,-2.5]'), halfvec_send('[1,-2.5]');

-- Has the server receive bytes as a value of a type: a file of one row in the binary format of COPY.
create temporary table received_vector (value vector(2));
create temporary table received_any (value vector);
create temporary table received_half (value halfvec);
create function pg_temp.receive(target text, message bytea, out result text)
language plpgsql
as $$
declare
  file text := current_setting('data_directory') || '/regress_vector.bin';
  content oid := lo_from_bytea(0, '\x5047434f50590aff0d0a000000000000000000' || '\x0001'::bytea || int4send(length(message)) || message || '\xffff');
begin
  perform lo_export(content, file), lo_unlink(content);
  execute format('delete from %I', target);
  execute format('copy %I from %L (format binary)', target, file);
  execute format('select value::text from %I', target) into result;
exception when others then
  result := sqlstate || ' ' || sqlerrm;
end
$$;

select pg_temp.receive('received_vector', m) from unnest(array['\x000200003f800000c0200000']::bytea[]) m;
select m, pg_temp.receive('received_any', m) from unnest(array[
  '\x', '\x00', '\x00000000', '\x00010000', '\x000100003f80', '\x000100013f800000', '\x3e810000', '\xffff0000',
  '\x000100007fc00000', '\x000100007f800000', '\x00010000ff800000', '\x000100003f80000000', '\x0001000000000001']::bytea[]) m;
select pg_temp.receive('received_vector', '\x000100003f800000'), pg_temp.receive('received_half', '\x000200003c00c100'),
  pg_temp.receive('received_half', '\x000100007c00'), pg_temp.receive('received_half', '\x000100007e00'), pg_temp.receive('received_half', '\x00010000');

-- through COPY and back
create temporary table item (id integer, embedding vector(3), small halfvec(3));
insert into item values (1, '[0,0,0]', '[0,0,0]'), (2, '[1.5,-2,3e38]', '[1.5,-2,65504]'), (3, null, null), (4, '[1e-45,-0,1]', '[6e-8,-0,1]');
create function pg_temp.copy_through(from_table text, to_table text, format text) returns void
language plpgsql
as $$
declare
  file text := current_setting('data_directory') || '/regress_vector.bin';
begin
  execute format('copy %I to %L (format %s)', from_table, file, format);
  execute format('copy %I from %L (format %s)', to_table, file, format);
end
$$;
create temporary table copied (like item);
select pg_temp.copy_through('item', 'copied', 'binary');
select pg_temp.copy_through('item', 'copied', 'text');
select id, embedding, small, count(*) from copied group by id, embedding, small order by id;

-- random bytes: a vector, or one of the errors above, never anything else
select setseed(0.5);
create function pg_temp.random_bytes(length integer) returns bytea
language sql
as $$ select coalesce(string_agg(set_byte('\x00', 0, floor(random() * 256)::int), ''), '') from generate_series(1, length) where random() >= 0 $$;
create temporary table outcome as
select pg_temp.receive(target, message) as result
from generate_series(1, 500) n,
  lateral (select case when n % 2 = 0 then 'received_any' else 'received_half' end as target,
    -- a true prefix every other time, so that elements are reached
    case when n % 4 < 2 then '\x00030000'::bytea else '' end || pg_temp.random_bytes(n % 17) as message offset 0) m;
select distinct case when result ~ '^\[.*\]$' then 'a vector' else left(result, 5) end as outcome from outcome order by 1;

-- random texts likewise; what is accepted survives a round trip
create function pg_temp.fuzz_text(rounds integer) returns table (outcome text)
language plpgsql
as $$
declare
  parts text[] := array['[', ']', ',', '1', '2.5', '-', '+', 'e', 'E', '.', ' ', 'nan', 'inf', '9e9', '1e39', '0', E'\n', 'é', '"', '{'];
  input text;
  value vector;
begin
  for i in 1..rounds loop
    select '[' || string_agg(parts[1 + floor(random() * array_length(parts, 1))], '') || case when i % 3 > 0 then ']' else '' end
    into input from generate_series(1, 1 + i % 12);
    begin
      value := input::vector;
      outcome := case when value::text::vector = value and value::halfvec is not null then 'a vector' end;
    exception when others then
      outcome := sqlstate;
    end;
    return next;
  end loop;
end
$$;
select outcome, count(*) > 10 as often from pg_temp.fuzz_text(5000) group by outcome order by outcome;
