-- The type halfvec: f16 elements, half the bytes of vector at about three decimal digits. The sections are those of
-- 10_vector.sql, to which the casts between the two types are added.

-- input and output

create function halfvec_in(cstring, oid, integer) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_in_wrapper' language c immutable strict parallel safe;
comment on function halfvec_in(cstring, oid, integer) is 'input';

create function halfvec_out(halfvec) returns cstring
  as 'MODULE_PATHNAME', 'halfvec_out_wrapper' language c immutable strict parallel safe;
comment on function halfvec_out(halfvec) is 'output';

create function halfvec_typmod_in(cstring[]) returns integer
  as 'MODULE_PATHNAME', 'halfvec_typmod_in_wrapper' language c immutable strict parallel safe;
comment on function halfvec_typmod_in(cstring[]) is 'input of the declared dimensions';

create function halfvec_recv(internal, oid, integer) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_recv_wrapper' language c immutable strict parallel safe;
comment on function halfvec_recv(internal, oid, integer) is 'binary input';

create function halfvec_send(halfvec) returns bytea
  as 'MODULE_PATHNAME', 'halfvec_send_wrapper' language c immutable strict parallel safe;
comment on function halfvec_send(halfvec) is 'binary output';

create type halfvec (
  input = halfvec_in,
  output = halfvec_out,
  typmod_in = halfvec_typmod_in,
  receive = halfvec_recv,
  send = halfvec_send,
  storage = external
);
comment on type halfvec is 'half-precision vector of up to 16,000 dimensions';

-- functions

create function l2_distance(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_l2_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function l2_distance(halfvec, halfvec) is 'Euclidean distance';

create function inner_product(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_inner_product_wrapper' language c immutable strict parallel safe cost 10;
comment on function inner_product(halfvec, halfvec) is 'inner product';

create function cosine_distance(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_cosine_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function cosine_distance(halfvec, halfvec) is 'cosine distance: one minus the cosine of the angle';

create function l1_distance(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_l1_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function l1_distance(halfvec, halfvec) is 'taxicab distance';

create function vector_dims(halfvec) returns integer
  as 'MODULE_PATHNAME', 'halfvec_dims_wrapper' language c immutable strict parallel safe;
comment on function vector_dims(halfvec) is 'number of dimensions';

create function l2_norm(halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_norm_wrapper' language c immutable strict parallel safe cost 10;
comment on function l2_norm(halfvec) is 'Euclidean norm';

create function l2_normalize(halfvec) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_l2_normalize_wrapper' language c immutable strict parallel safe cost 10;
comment on function l2_normalize(halfvec) is 'vector of Euclidean norm one in the same direction';

create function binary_quantize(halfvec) returns bit
  as 'MODULE_PATHNAME', 'halfvec_binary_quantize_wrapper' language c immutable strict parallel safe cost 10;
comment on function binary_quantize(halfvec) is 'one bit per element: whether it is greater than zero';

create function subvector(halfvec, integer, integer) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_subvector_wrapper' language c immutable strict parallel safe cost 10;
comment on function subvector(halfvec, integer, integer) is 'elements from a position, counted from one, and of a count';

-- functions behind operators, aggregates and indexes

create function halfvec_add(halfvec, halfvec) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_add_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_add(halfvec, halfvec) is 'implementation of the + operator';

create function halfvec_sub(halfvec, halfvec) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_sub_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_sub(halfvec, halfvec) is 'implementation of the - operator';

create function halfvec_mul(halfvec, halfvec) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_mul_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_mul(halfvec, halfvec) is 'implementation of the * operator';

create function halfvec_concat(halfvec, halfvec) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_concat_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_concat(halfvec, halfvec) is 'implementation of the || operator';

create function halfvec_lt(halfvec, halfvec) returns boolean
  as 'MODULE_PATHNAME', 'halfvec_lt_wrapper' language c immutable strict parallel safe;
comment on function halfvec_lt(halfvec, halfvec) is 'implementation of the < operator';

create function halfvec_le(halfvec, halfvec) returns boolean
  as 'MODULE_PATHNAME', 'halfvec_le_wrapper' language c immutable strict parallel safe;
comment on function halfvec_le(halfvec, halfvec) is 'implementation of the <= operator';

create function halfvec_eq(halfvec, halfvec) returns boolean
  as 'MODULE_PATHNAME', 'halfvec_eq_wrapper' language c immutable strict parallel safe;
comment on function halfvec_eq(halfvec, halfvec) is 'implementation of the = operator';

create function halfvec_ne(halfvec, halfvec) returns boolean
  as 'MODULE_PATHNAME', 'halfvec_ne_wrapper' language c immutable strict parallel safe;
comment on function halfvec_ne(halfvec, halfvec) is 'implementation of the <> operator';

create function halfvec_ge(halfvec, halfvec) returns boolean
  as 'MODULE_PATHNAME', 'halfvec_ge_wrapper' language c immutable strict parallel safe;
comment on function halfvec_ge(halfvec, halfvec) is 'implementation of the >= operator';

create function halfvec_gt(halfvec, halfvec) returns boolean
  as 'MODULE_PATHNAME', 'halfvec_gt_wrapper' language c immutable strict parallel safe;
comment on function halfvec_gt(halfvec, halfvec) is 'implementation of the > operator';

create function halfvec_cmp(halfvec, halfvec) returns integer
  as 'MODULE_PATHNAME', 'halfvec_cmp_wrapper' language c immutable strict parallel safe;
comment on function halfvec_cmp(halfvec, halfvec) is 'less, equal, greater: -1, 0, 1';

create function halfvec_l2_squared_distance(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_l2_squared_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_l2_squared_distance(halfvec, halfvec) is 'squared Euclidean distance';

create function halfvec_negative_inner_product(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_negative_inner_product_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_negative_inner_product(halfvec, halfvec) is 'negative inner product';

create function halfvec_spherical_distance(halfvec, halfvec) returns double precision
  as 'MODULE_PATHNAME', 'halfvec_spherical_distance_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_spherical_distance(halfvec, halfvec) is 'angle between vectors of norm one, in half turns';

create function halfvec_accum(double precision[], halfvec) returns double precision[]
  as 'MODULE_PATHNAME', 'halfvec_accum_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_accum(double precision[], halfvec) is 'transition function of avg';

create function halfvec_combine(double precision[], double precision[]) returns double precision[]
  as 'MODULE_PATHNAME', 'vector_combine_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_combine(double precision[], double precision[]) is 'combine function of avg';

create function halfvec_avg(double precision[]) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_avg_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_avg(double precision[]) is 'final function of avg';

-- aggregates

create aggregate avg(halfvec) (
  sfunc = halfvec_accum,
  stype = double precision[],
  finalfunc = halfvec_avg,
  combinefunc = halfvec_combine,
  initcond = '{0}',
  parallel = safe
);
comment on aggregate avg(halfvec) is 'average of each dimension';

create aggregate sum(halfvec) (
  sfunc = halfvec_add,
  stype = halfvec,
  combinefunc = halfvec_add,
  parallel = safe
);
comment on aggregate sum(halfvec) is 'sum of each dimension';

-- casts

create function halfvec(halfvec, integer, boolean) returns halfvec
  as 'MODULE_PATHNAME', 'halfvec_to_halfvec_wrapper' language c immutable strict parallel safe;
comment on function halfvec(halfvec, integer, boolean) is 'check against the declared dimensions';

create function array_to_halfvec(integer[], integer, boolean) returns halfvec
  as 'MODULE_PATHNAME', 'array_to_halfvec_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_halfvec(integer[], integer, boolean) is 'convert integer[] to halfvec';

create function array_to_halfvec(real[], integer, boolean) returns halfvec
  as 'MODULE_PATHNAME', 'array_to_halfvec_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_halfvec(real[], integer, boolean) is 'convert real[] to halfvec';

create function array_to_halfvec(double precision[], integer, boolean) returns halfvec
  as 'MODULE_PATHNAME', 'array_to_halfvec_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_halfvec(double precision[], integer, boolean) is 'convert double precision[] to halfvec';

create function array_to_halfvec(numeric[], integer, boolean) returns halfvec
  as 'MODULE_PATHNAME', 'array_to_halfvec_wrapper' language c immutable strict parallel safe cost 10;
comment on function array_to_halfvec(numeric[], integer, boolean) is 'convert numeric[] to halfvec';

create function halfvec_to_float4(halfvec, integer, boolean) returns real[]
  as 'MODULE_PATHNAME', 'halfvec_to_float4_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_to_float4(halfvec, integer, boolean) is 'convert halfvec to real[]';

create function halfvec_to_vector(halfvec, integer, boolean) returns vector
  as 'MODULE_PATHNAME', 'halfvec_to_vector_wrapper' language c immutable strict parallel safe cost 10;
comment on function halfvec_to_vector(halfvec, integer, boolean) is 'convert halfvec to vector';

create function vector_to_halfvec(vector, integer, boolean) returns halfvec
  as 'MODULE_PATHNAME', 'vector_to_halfvec_wrapper' language c immutable strict parallel safe cost 10;
comment on function vector_to_halfvec(vector, integer, boolean) is 'convert vector to halfvec, rounding each element';

create cast (halfvec as halfvec) with function halfvec(halfvec, integer, boolean) as implicit;
comment on cast (halfvec as halfvec) is 'check against the declared dimensions';

create cast (halfvec as vector) with function halfvec_to_vector(halfvec, integer, boolean) as assignment;
comment on cast (halfvec as vector) is 'exact';

create cast (vector as halfvec) with function vector_to_halfvec(vector, integer, boolean) as implicit;
comment on cast (vector as halfvec) is 'rounds each element; an error if one is beyond 65504';

create cast (halfvec as real[]) with function halfvec_to_float4(halfvec, integer, boolean) as assignment;
comment on cast (halfvec as real[]) is 'exact';

create cast (integer[] as halfvec) with function array_to_halfvec(integer[], integer, boolean) as assignment;
comment on cast (integer[] as halfvec) is 'rounds each element to half precision';

create cast (real[] as halfvec) with function array_to_halfvec(real[], integer, boolean) as assignment;
comment on cast (real[] as halfvec) is 'rounds each element to half precision';

create cast (double precision[] as halfvec) with function array_to_halfvec(double precision[], integer, boolean) as assignment;
comment on cast (double precision[] as halfvec) is 'rounds each element to half precision';

create cast (numeric[] as halfvec) with function array_to_halfvec(numeric[], integer, boolean) as assignment;
comment on cast (numeric[] as halfvec) is 'rounds each element to half precision';

-- operators

create operator <-> (
  leftarg = halfvec, rightarg = halfvec, function = l2_distance,
  commutator = <->
);
comment on operator <-> (halfvec, halfvec) is 'Euclidean distance';

create operator <#> (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_negative_inner_product,
  commutator = <#>
);
comment on operator <#> (halfvec, halfvec) is 'negative inner product';

create operator <=> (
  leftarg = halfvec, rightarg = halfvec, function = cosine_distance,
  commutator = <=>
);
comment on operator <=> (halfvec, halfvec) is 'cosine distance';

create operator <+> (
  leftarg = halfvec, rightarg = halfvec, function = l1_distance,
  commutator = <+>
);
comment on operator <+> (halfvec, halfvec) is 'taxicab distance';

create operator + (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_add,
  commutator = +
);
comment on operator + (halfvec, halfvec) is 'add element by element';

create operator - (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_sub
);
comment on operator - (halfvec, halfvec) is 'subtract element by element';

create operator * (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_mul,
  commutator = *
);
comment on operator * (halfvec, halfvec) is 'multiply element by element';

create operator || (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_concat
);
comment on operator || (halfvec, halfvec) is 'concatenate';

create operator < (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_lt,
  commutator = >, negator = >=, restrict = scalarltsel, join = scalarltjoinsel
);
comment on operator < (halfvec, halfvec) is 'less than';

create operator <= (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_le,
  commutator = >=, negator = >, restrict = scalarlesel, join = scalarlejoinsel
);
comment on operator <= (halfvec, halfvec) is 'less than or equal';

create operator = (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_eq,
  commutator = =, negator = <>, restrict = eqsel, join = eqjoinsel, merges
);
comment on operator = (halfvec, halfvec) is 'equal';

create operator <> (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_ne,
  commutator = <>, negator = =, restrict = neqsel, join = neqjoinsel
);
comment on operator <> (halfvec, halfvec) is 'not equal';

create operator >= (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_ge,
  commutator = <=, negator = <, restrict = scalargesel, join = scalargejoinsel
);
comment on operator >= (halfvec, halfvec) is 'greater than or equal';

create operator > (
  leftarg = halfvec, rightarg = halfvec, function = halfvec_gt,
  commutator = <, negator = <=, restrict = scalargtsel, join = scalargtjoinsel
);
comment on operator > (halfvec, halfvec) is 'greater than';

-- operator classes

create operator class halfvec_ops
  default for type halfvec using btree as
    operator 1 <,
    operator 2 <=,
    operator 3 =,
    operator 4 >=,
    operator 5 >,
    function 1 halfvec_cmp(halfvec, halfvec);
comment on operator class halfvec_ops using btree is 'order by elements, then by dimensions';
comment on operator family halfvec_ops using btree is 'order by elements, then by dimensions';
