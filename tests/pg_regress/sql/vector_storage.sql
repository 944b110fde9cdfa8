-- One value, every form in which PostgreSQL may hand it over: packed, plain, compressed, out of line.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

create temporary table form (name text, wide text, embedding vector, small halfvec);
alter table form alter wide set storage plain;

create procedure pg_temp.put(form text, dims integer, wide text)
language sql
as $$
  insert into form select form, wide, array_agg(n % 5 + 1)::vector, array_agg(n % 5 + 1)::halfvec from generate_series(1, dims) n
$$;

call pg_temp.put('packed', 3, '');
call pg_temp.put('plain', 300, '');
call pg_temp.put('far', 300, repeat('x', 6000));
call pg_temp.put('far', 3000, '');
alter table form alter embedding set storage extended, alter small set storage extended;
call pg_temp.put('compressed', 400, repeat('x', 1800));
call pg_temp.put('compressed far', 16000, repeat('x', 7000));

select name, vector_dims(embedding) as dims, pg_column_size(embedding) as bytes, pg_column_compression(embedding) as method,
  pg_column_size(small) as small_bytes
from form;

-- whatever the form, the same answer
with query as (
  select dims, array_agg(n % 3)::vector as q from unnest('{3,300,400,3000}'::int[]) dims, generate_series(1, dims) n group by dims
)
select name, dims,
  (embedding <-> q) = (embedding::text::vector <-> q) as l2, (small <-> q::halfvec) = (small::text::halfvec <-> q::halfvec) as small_l2,
  (embedding <=> q) = (embedding::text::vector <=> q) as cosine, round((embedding <=> q)::numeric, 4) as distance,
  embedding = embedding::real[]::vector as equal, small = small::real[]::halfvec as small_equal,
  (embedding - embedding) = q * array_fill(0, array[dims])::vector as zero,
  md5(vector_send(embedding)) = md5(vector_send(embedding::text::vector)) as sent,
  vector(embedding, dims, true) = embedding as declared,
  subvector(small || '[7]'::halfvec, dims, 2) as joined
from form join query on dims = vector_dims(embedding)
order by dims, name;

-- the longest vectors, without the text of them
select name, (embedding <-> embedding) as l2, (small <=> small) as cosine, vector_norm(embedding), avg(embedding) = embedding as mean,
  length(binary_quantize(small)) as bits
from form where vector_dims(embedding) = 16000 group by name, embedding, small;
