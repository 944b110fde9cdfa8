-- What the comparison with pgvector is made of, besides sample.sql. Variable `floor`: the library of benches/floor.c.
CREATE FUNCTION bench.nothing(memory_profile.vector, memory_profile.vector) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'nothing';
CREATE FUNCTION bench.nothing(memory_profile.halfvec, memory_profile.halfvec) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'nothing';
CREATE FUNCTION bench.reading(memory_profile.vector, memory_profile.vector) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'reading';
CREATE FUNCTION bench.reading(memory_profile.halfvec, memory_profile.halfvec) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'reading';

-- Makes bench.compare(seconds): rounds of five scans of bench.sample, one that only touches the rows, one that calls a
-- function of the same form that looks at nothing, one with a function that reads the row and computes nothing, one with our
-- operator and one with pgvector's, each round in another order. Times are in nanoseconds per row.
CREATE PROCEDURE bench.make_comparison(type text, operator text)
LANGUAGE plpgsql
AS $make$
BEGIN
  EXECUTE format($definition$
    CREATE OR REPLACE FUNCTION bench.compare(seconds double precision)
    RETURNS TABLE (touch double precision, nothing double precision, reading double precision, ours double precision,
                   theirs double precision)
    LANGUAGE plpgsql
    AS $$
    DECLARE
      our_query memory_profile.%1$I := (SELECT embedding FROM bench.query);
      their_query pgvector.%1$I := our_query;
      rows bigint := (SELECT count(*) FROM bench.sample);
      finish timestamptz := clock_timestamp() + make_interval(secs => seconds);
      started timestamptz;
      times double precision[] := '{0, 0, 0, 0, 0}';
      total double precision;
      round integer := 0;
      kind integer;
    BEGIN
      WHILE round < 6 OR clock_timestamp() < finish LOOP
        FOR turn IN 0..4 LOOP
          kind := (round + turn * (1 + round %% 4)) %% 5;
          started := clock_timestamp();
          IF kind = 0 THEN
            total := (SELECT count(embedding) FROM bench.sample);
          ELSIF kind = 1 THEN
            total := (SELECT sum(bench.nothing(embedding, our_query)) FROM bench.sample);
          ELSIF kind = 2 THEN
            total := (SELECT sum(bench.reading(embedding, our_query)) FROM bench.sample);
          ELSIF kind = 3 THEN
            total := (SELECT sum(embedding OPERATOR(memory_profile.%2$s) our_query) FROM bench.sample);
          ELSE
            total := (SELECT sum(embedding::pgvector.%1$I OPERATOR(pgvector.%2$s) their_query) FROM bench.sample);
          END IF;
          times[kind + 1] := extract(epoch FROM clock_timestamp() - started) * 1e9 / rows;
        END LOOP;
        round := round + 1;
        touch := times[1];
        nothing := times[2];
        reading := times[3];
        ours := times[4];
        theirs := times[5];
        -- The first round plans the queries and fills the caches.
        IF round > 1 THEN RETURN NEXT; END IF;
      END LOOP;
    END
    $$
  $definition$, type, operator);
  EXECUTE format($definition$
    CREATE OR REPLACE FUNCTION bench.largest_difference() RETURNS double precision
    LANGUAGE sql
    AS $$
      SELECT max(abs((s.embedding OPERATOR(memory_profile.%2$s) q.embedding)
                   - (s.embedding::pgvector.%1$I OPERATOR(pgvector.%2$s) q.embedding::pgvector.%1$I)))
      FROM bench.sample s, bench.query q
    $$
  $definition$, type, operator);
END
$make$;
