-- The access method scoped_vector: an index of vectors by namespace; see docs/scoped_vector.md. Every function is Rust, in
-- src/am/.

create function scoped_vector_handler(internal) returns index_am_handler
  as 'MODULE_PATHNAME', 'scoped_vector_handler_wrapper' language c volatile strict;
comment on function scoped_vector_handler(internal) is 'handler of the index access method scoped_vector';

create access method scoped_vector type index handler scoped_vector_handler;
comment on access method scoped_vector is 'nearest vectors within a namespace';

-- functions behind operator classes: metric and element type of each

create function _scoped_vector_cosine(internal) returns integer
  as 'MODULE_PATHNAME', 'scoped_vector_cosine_wrapper' language c immutable parallel safe;
comment on function _scoped_vector_cosine(internal) is 'metric and element type of an operator class';

create function _scoped_vector_ip(internal) returns integer
  as 'MODULE_PATHNAME', 'scoped_vector_ip_wrapper' language c immutable parallel safe;
comment on function _scoped_vector_ip(internal) is 'metric and element type of an operator class';

create function _scoped_vector_l2(internal) returns integer
  as 'MODULE_PATHNAME', 'scoped_vector_l2_wrapper' language c immutable parallel safe;
comment on function _scoped_vector_l2(internal) is 'metric and element type of an operator class';

create function _scoped_halfvec_cosine(internal) returns integer
  as 'MODULE_PATHNAME', 'scoped_halfvec_cosine_wrapper' language c immutable parallel safe;
comment on function _scoped_halfvec_cosine(internal) is 'metric and element type of an operator class';

create function _scoped_halfvec_ip(internal) returns integer
  as 'MODULE_PATHNAME', 'scoped_halfvec_ip_wrapper' language c immutable parallel safe;
comment on function _scoped_halfvec_ip(internal) is 'metric and element type of an operator class';

create function _scoped_halfvec_l2(internal) returns integer
  as 'MODULE_PATHNAME', 'scoped_halfvec_l2_wrapper' language c immutable parallel safe;
comment on function _scoped_halfvec_l2(internal) is 'metric and element type of an operator class';

-- operator classes of vectors

create operator class scoped_vector_cosine_ops
  for type vector using scoped_vector as
    operator 2 <=> (vector, vector) for order by float_ops,
    function 2 (vector) _scoped_vector_cosine(internal);
comment on operator class scoped_vector_cosine_ops using scoped_vector is 'cosine distance';
comment on operator family scoped_vector_cosine_ops using scoped_vector is 'cosine distance';

create operator class scoped_vector_ip_ops
  for type vector using scoped_vector as
    operator 2 <#> (vector, vector) for order by float_ops,
    function 2 (vector) _scoped_vector_ip(internal);
comment on operator class scoped_vector_ip_ops using scoped_vector is 'negative inner product';
comment on operator family scoped_vector_ip_ops using scoped_vector is 'negative inner product';

create operator class scoped_vector_l2_ops
  for type vector using scoped_vector as
    operator 2 <-> (vector, vector) for order by float_ops,
    function 2 (vector) _scoped_vector_l2(internal);
comment on operator class scoped_vector_l2_ops using scoped_vector is 'Euclidean distance';
comment on operator family scoped_vector_l2_ops using scoped_vector is 'Euclidean distance';

create operator class scoped_halfvec_cosine_ops
  for type halfvec using scoped_vector as
    operator 2 <=> (halfvec, halfvec) for order by float_ops,
    function 2 (halfvec) _scoped_halfvec_cosine(internal);
comment on operator class scoped_halfvec_cosine_ops using scoped_vector is 'cosine distance';
comment on operator family scoped_halfvec_cosine_ops using scoped_vector is 'cosine distance';

create operator class scoped_halfvec_ip_ops
  for type halfvec using scoped_vector as
    operator 2 <#> (halfvec, halfvec) for order by float_ops,
    function 2 (halfvec) _scoped_halfvec_ip(internal);
comment on operator class scoped_halfvec_ip_ops using scoped_vector is 'negative inner product';
comment on operator family scoped_halfvec_ip_ops using scoped_vector is 'negative inner product';

create operator class scoped_halfvec_l2_ops
  for type halfvec using scoped_vector as
    operator 2 <-> (halfvec, halfvec) for order by float_ops,
    function 2 (halfvec) _scoped_halfvec_l2(internal);
comment on operator class scoped_halfvec_l2_ops using scoped_vector is 'Euclidean distance';
comment on operator family scoped_halfvec_l2_ops using scoped_vector is 'Euclidean distance';

-- operator classes of keys: equal values have equal hashes, also across integer types

create operator family integer_ops using scoped_vector;
comment on operator family integer_ops using scoped_vector is 'equality of integers';

create operator class smallint_ops
  default for type smallint using scoped_vector family integer_ops as
    operator 1 = (smallint, smallint),
    function 1 (smallint) hashint2extended(smallint, bigint);
comment on operator class smallint_ops using scoped_vector is 'equality';

create operator class integer_ops
  default for type integer using scoped_vector family integer_ops as
    operator 1 = (integer, integer),
    function 1 (integer) hashint4extended(integer, bigint);
comment on operator class integer_ops using scoped_vector is 'equality';

create operator class bigint_ops
  default for type bigint using scoped_vector family integer_ops as
    operator 1 = (bigint, bigint),
    function 1 (bigint) hashint8extended(bigint, bigint);
comment on operator class bigint_ops using scoped_vector is 'equality';

alter operator family integer_ops using scoped_vector add
  operator 1 = (smallint, integer),
  operator 1 = (smallint, bigint),
  operator 1 = (integer, smallint),
  operator 1 = (integer, bigint),
  operator 1 = (bigint, smallint),
  operator 1 = (bigint, integer);

create operator class uuid_ops
  default for type uuid using scoped_vector as
    operator 1 = (uuid, uuid),
    function 1 (uuid) uuid_hash_extended(uuid, bigint);
comment on operator class uuid_ops using scoped_vector is 'equality';
comment on operator family uuid_ops using scoped_vector is 'equality';

create operator class text_ops
  default for type text using scoped_vector as
    operator 1 = (text, text),
    function 1 (text) hashtextextended(text, bigint);
comment on operator class text_ops using scoped_vector is 'equality';
comment on operator family text_ops using scoped_vector is 'equality';

-- looking at an index

create function scoped_vector_stats(
  index regclass,
  out rows bigint,
  out namespaces bigint,
  out largest_namespace bigint,
  out lists bigint,
  out height integer,
  out pages bigint,
  out leaf_pages bigint,
  out inner_pages bigint,
  out free_pages bigint,
  out leaf_fill double precision,
  out bytes_per_row double precision
) returns setof record
  as 'MODULE_PATHNAME', 'scoped_vector_stats_wrapper' language c volatile strict;
comment on function scoped_vector_stats(regclass) is 'what a scoped_vector index adds up to; reads all of it, and keeps writers out meanwhile';

create function scoped_vector_check(index regclass, heapallindexed boolean default false) returns void
  as 'MODULE_PATHNAME', 'scoped_vector_check_wrapper' language c volatile strict;
comment on function scoped_vector_check(regclass, boolean) is
  'verifies that the pages of a scoped_vector index fit together and, if wanted, that every row of the table is in it; keeps writers out meanwhile';
