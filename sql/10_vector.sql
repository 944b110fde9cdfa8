-- The type vector: f32 elements, pgvector's formats, names and results. One section per kind of object; every function is
-- Rust, in src/vector/. Distances and whole-vector operations read thousands of bytes, so they cost ten times a plain
-- operator: cheap conditions are then tested first, and large scans go parallel sooner.

-- input and output

create function vector_in(cstring, oid, integer) returns vector
  as 'MODULE_PATHNAME', 'vector_in_wrapper' language c immutable strict parallel safe;
comment on function vector_in(cstring, oid, integer) is 'input';

create function vector_out(vector) returns cstring
  as 'MODULE_PATHNAME', 'vector_out_wrapper' language c immutable strict parallel safe;
comment on function vector_out(vector) is 'output';

create function vector_typmod_in(cstring[]) returns integer
  as 'MODULE_PATHNAME', 'vector_typmod_in_wrapper' language c immutable strict parallel safe;
comment on function vector_typmod_in(cstring[]) is 'input of the declared dimensions';

create function vector_recv(internal, oid, integer) returns vector
  as 'MODULE_PATHNAME', 'vector_recv_wrapper' language c immutable strict parallel safe;
comment on function vector_recv(internal, oid, integer) is 'binary input';

create function vector_send(vector) returns bytea
  as 'MODULE_PATHNAME', 'vector_send_wrapper' language c immutable strict parallel safe;
comment on function vector_send(vector) is 'binary output';

create type vector (
  input = vector_in,
  output = vector_out,
  typmod_in = vector_typmod_in,
  receive = vector_recv,
  send = vector_send,
  storage = external
);
comment on type vector is 'single-precision vector of up to 16,000 dimensions';

-- functions

create function l2_distance(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_l2_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function l2_distance(vector, vector) is 'Euclidean distance';

create function inner_product(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_inner_product_wrapper' language c immutable strict parallel safe cost 10;
comment on function inner_product(vector, vector) is 'inner product';

create function cosine_distance(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_cosine_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function cosine_distance(vector, vector) is 'cosine distance: one minus the cosine of the angle';

create function l1_distance(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_l1_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function l1_distance(vector, vector) is 'taxicab distance';

create function vector_dims(vector) returns integer
  as 'MODULE_PATHNAME', 'vector_dims_wrapper' language c immutable strict parallel safe;
comment on function vector_dims(vector) is 'number of dimensions';

create function vector_norm(vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_norm_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_norm(vector) is 'Euclidean norm';

create function l2_norm(vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_norm_wrapper' language c immutable strict parallel safe cost 10;
comment on function l2_norm(vector) is 'Euclidean norm, under the name that halfvec uses too';

create function l2_normalize(vector) returns vector
  as 'MODULE_PATHNAME', 'vector_l2_normalize_wrapper' language c immutable strict parallel safe cost 10;
comment on function l2_normalize(vector) is 'vector of Euclidean norm one in the same direction';

create function binary_quantize(vector) returns bit
  as 'MODULE_PATHNAME', 'vector_binary_quantize_wrapper' language c immutable strict parallel safe cost 10;
comment on function binary_quantize(vector) is 'one bit per element: whether it is greater than zero';

create function subvector(vector, integer, integer) returns vector
  as 'MODULE_PATHNAME', 'vector_subvector_wrapper' language c immutable strict parallel safe cost 10;
comment on function subvector(vector, integer, integer) is 'elements from a position, counted from one, and of a count';

-- functions behind operators, aggregates and indexes

create function vector_add(vector, vector) returns vector
  as 'MODULE_PATHNAME', 'vector_add_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_add(vector, vector) is 'implementation of the + operator';

create function vector_sub(vector, vector) returns vector
  as 'MODULE_PATHNAME', 'vector_sub_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_sub(vector, vector) is 'implementation of the - operator';

create function vector_mul(vector, vector) returns vector
  as 'MODULE_PATHNAME', 'vector_mul_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_mul(vector, vector) is 'implementation of the * operator';

create function vector_concat(vector, vector) returns vector
  as 'MODULE_PATHNAME', 'vector_concat_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_concat(vector, vector) is 'implementation of the || operator';

create function vector_lt(vector, vector) returns boolean
  as 'MODULE_PATHNAME', 'vector_lt_wrapper' language c immutable strict parallel safe;
comment on function vector_lt(vector, vector) is 'implementation of the < operator';

create function vector_le(vector, vector) returns boolean
  as 'MODULE_PATHNAME', 'vector_le_wrapper' language c immutable strict parallel safe;
comment on function vector_le(vector, vector) is 'implementation of the <= operator';

create function vector_eq(vector, vector) returns boolean
  as 'MODULE_PATHNAME', 'vector_eq_wrapper' language c immutable strict parallel safe;
comment on function vector_eq(vector, vector) is 'implementation of the = operator';

create function vector_ne(vector, vector) returns boolean
  as 'MODULE_PATHNAME', 'vector_ne_wrapper' language c immutable strict parallel safe;
comment on function vector_ne(vector, vector) is 'implementation of the <> operator';

create function vector_ge(vector, vector) returns boolean
  as 'MODULE_PATHNAME', 'vector_ge_wrapper' language c immutable strict parallel safe;
comment on function vector_ge(vector, vector) is 'implementation of the >= operator';

create function vector_gt(vector, vector) returns boolean
  as 'MODULE_PATHNAME', 'vector_gt_wrapper' language c immutable strict parallel safe;
comment on function vector_gt(vector, vector) is 'implementation of the > operator';

create function vector_cmp(vector, vector) returns integer
  as 'MODULE_PATHNAME', 'vector_cmp_wrapper' language c immutable strict parallel safe;
comment on function vector_cmp(vector, vector) is 'less, equal, greater: -1, 0, 1';

create function vector_l2_squared_distance(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_l2_squared_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_l2_squared_distance(vector, vector) is 'squared Euclidean distance';

create function vector_negative_inner_product(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_negative_inner_product_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_negative_inner_product(vector, vector) is 'negative inner product';

create function vector_spherical_distance(vector, vector) returns double precision
  as 'MODULE_PATHNAME', 'vector_spherical_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_spherical_distance(vector, vector) is 'angle between vectors of norm one, in half turns';

create function vector_accum(double precision[], vector) returns double precision[]
  as 'MODULE_PATHNAME', 'vector_accum_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_accum(double precision[], vector) is 'transition function of avg';

create function vector_combine(double precision[], double precision[]) returns double precision[]
  as 'MODULE_PATHNAME', 'vector_combine_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_combine(double precision[], double precision[]) is 'combine function of avg';

create function vector_avg(double precision[]) returns vector
  as 'MODULE_PATHNAME', 'vector_avg_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_avg(double precision[]) is 'final function of avg';

-- aggregates

create aggregate avg(vector) (
  sfunc = vector_accum,
  stype = double precision[],
  finalfunc = vector_avg,
  combinefunc = vector_combine,
  initcond = '{0}',
  parallel = safe
);
comment on aggregate avg(vector) is 'average of each dimension';

create aggregate sum(vector) (
  sfunc = vector_add,
  stype = vector,
  combinefunc = vector_add,
  parallel = safe
);
comment on aggregate sum(vector) is 'sum of each dimension';

-- casts

create function vector(vector, integer, boolean) returns vector
  as 'MODULE_PATHNAME', 'vector_to_vector_wrapper' language c immutable strict parallel safe;
comment on function vector(vector, integer, boolean) is 'check against the declared dimensions';

create function array_to_vector(integer[], integer, boolean) returns vector
  as 'MODULE_PATHNAME', 'array_to_vector_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_vector(integer[], integer, boolean) is 'convert integer[] to vector';

create function array_to_vector(real[], integer, boolean) returns vector
  as 'MODULE_PATHNAME', 'array_to_vector_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_vector(real[], integer, boolean) is 'convert real[] to vector';

create function array_to_vector(double precision[], integer, boolean) returns vector
  as 'MODULE_PATHNAME', 'array_to_vector_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_vector(double precision[], integer, boolean) is 'convert double precision[] to vector';

create function array_to_vector(numeric[], integer, boolean) returns vector
  as 'MODULE_PATHNAME', 'array_to_vector_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_vector(numeric[], integer, boolean) is 'convert numeric[] to vector';

create function vector_to_float4(vector, integer, boolean) returns real[]
  as 'MODULE_PATHNAME', 'vector_to_float4_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_to_float4(vector, integer, boolean) is 'convert vector to real[]';

create cast (vector as vector) with function vector(vector, integer, boolean) as implicit;
comment on cast (vector as vector) is 'check against the declared dimensions';

create cast (vector as real[]) with function vector_to_float4(vector, integer, boolean) as implicit;
comment on cast (vector as real[]) is 'exact';

create cast (integer[] as vector) with function array_to_vector(integer[], integer, boolean) as assignment;
comment on cast (integer[] as vector) is 'rounds each element to single precision';

create cast (real[] as vector) with function array_to_vector(real[], integer, boolean) as assignment;
comment on cast (real[] as vector) is 'exact';

create cast (double precision[] as vector) with function array_to_vector(double precision[], integer, boolean) as assignment;
comment on cast (double precision[] as vector) is 'rounds each element to single precision';

create cast (numeric[] as vector) with function array_to_vector(numeric[], integer, boolean) as assignment;
comment on cast (numeric[] as vector) is 'rounds each element to single precision';

-- operators

create operator <-> (
  leftarg = vector, rightarg = vector, function = l2_distance,
  commutator = <->
);
comment on operator <-> (vector, vector) is 'Euclidean distance';

create operator <#> (
  leftarg = vector, rightarg = vector, function = vector_negative_inner_product,
  commutator = <#>
);
comment on operator <#> (vector, vector) is 'negative inner product';

create operator <=> (
  leftarg = vector, rightarg = vector, function = cosine_distance,
  commutator = <=>
);
comment on operator <=> (vector, vector) is 'cosine distance';

create operator <+> (
  leftarg = vector, rightarg = vector, function = l1_distance,
  commutator = <+>
);
comment on operator <+> (vector, vector) is 'taxicab distance';

create operator + (
  leftarg = vector, rightarg = vector, function = vector_add,
  commutator = +
);
comment on operator + (vector, vector) is 'add element by element';

create operator - (
  leftarg = vector, rightarg = vector, function = vector_sub
);
comment on operator - (vector, vector) is 'subtract element by element';

create operator * (
  leftarg = vector, rightarg = vector, function = vector_mul,
  commutator = *
);
comment on operator * (vector, vector) is 'multiply element by element';

create operator || (
  leftarg = vector, rightarg = vector, function = vector_concat
);
comment on operator || (vector, vector) is 'concatenate';

create operator < (
  leftarg = vector, rightarg = vector, function = vector_lt,
  commutator = >, negator = >=, restrict = scalarltsel, join = scalarltjoinsel
);
comment on operator < (vector, vector) is 'less than';

create operator <= (
  leftarg = vector, rightarg = vector, function = vector_le,
  commutator = >=, negator = >, restrict = scalarlesel, join = scalarlejoinsel
);
comment on operator <= (vector, vector) is 'less than or equal';

create operator = (
  leftarg = vector, rightarg = vector, function = vector_eq,
  commutator = =, negator = <>, restrict = eqsel, join = eqjoinsel, merges
);
comment on operator = (vector, vector) is 'equal';

create operator <> (
  leftarg = vector, rightarg = vector, function = vector_ne,
  commutator = <>, negator = =, restrict = neqsel, join = neqjoinsel
);
comment on operator <> (vector, vector) is 'not equal';

create operator >= (
  leftarg = vector, rightarg = vector, function = vector_ge,
  commutator = <=, negator = <, restrict = scalargesel, join = scalargejoinsel
);
comment on operator >= (vector, vector) is 'greater than or equal';

create operator > (
  leftarg = vector, rightarg = vector, function = vector_gt,
  commutator = <, negator = <=, restrict = scalargtsel, join = scalargtjoinsel
);
comment on operator > (vector, vector) is 'greater than';

-- operator classes

create operator class vector_ops
  default for type vector using btree as
    operator 1 <,
    operator 2 <=,
    operator 3 =,
    operator 4 >=,
    operator 5 >,
    function 1 vector_cmp(vector, vector);
comment on operator class vector_ops using btree is 'order by elements, then by dimensions';
comment on operator family vector_ops using btree is 'order by elements, then by dimensions';
