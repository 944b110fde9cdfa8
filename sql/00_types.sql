-- Shell types, so that functions can be declared before 10_vector.sql and 11_halfvec.sql complete the types.

create type vector;
create type halfvec;
