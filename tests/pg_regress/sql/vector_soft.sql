-- Input that may fail without an error, which PostgreSQL 16 and later offer: before, there are no such functions.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

select pg_input_is_valid('[1,2]', 'vector'), pg_input_is_valid('[1,2', 'vector'), pg_input_is_valid('[1,2]', 'vector(3)'),
  pg_input_is_valid('[1,2]', 'halfvec(2)'), pg_input_is_valid('[65520]', 'halfvec'), pg_input_is_valid('', 'halfvec');

select input, type, e.*
from (values ('[1,2,3]', 'vector'), ('[1,2', 'vector'), ('1,2', 'vector'), ('[]', 'vector'), ('[1,2]', 'vector(3)'), ('[nan]', 'vector'),
  ('[1e40]', 'vector'), ('[1,2,3]', 'halfvec'), ('[65520]', 'halfvec'), ('[1] 2', 'halfvec'), ('[inf]', 'halfvec(1)')) v(input, type),
  pg_input_error_info(input, type) e;

-- whoever does not ask gets the error, in the same words
select pg_temp.try($$select '[1,2'::vector$$);
