-- What the comparison with pgvector is made of. Variable `floor`: the library of benches/floor.c.
CREATE SCHEMA bench;

CREATE FUNCTION bench.nothing(memory_profile.vector, memory_profile.vector) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'nothing';
CREATE FUNCTION bench.nothing(memory_profile.halfvec, memory_profile.halfvec) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'nothing';
CREATE FUNCTION bench.reading(memory_profile.vector, memory_profile.vector) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'reading';
CREATE FUNCTION bench.reading(memory_profile.halfvec, memory_profile.halfvec) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS :'floor', 'reading';

-- Numbers from 0 to 1 that are the same everywhere, which random() is not.
CREATE FUNCTION bench.noise(n bigint) RETURNS real
LANGUAGE sql IMMUTABLE
AS $$ SELECT (abs(hashint8extended(n, 0) % 1000003) / 1000003.0)::real $$;

-- Fills bench.sample with unit vectors: sums of two out of a thousand. Rows of up to 8 kB stay in their pages, so that
-- distances are measured and not the decompression of rows.
CREATE PROCEDURE bench.make_sample(type text, dims integer, rows integer)
LANGUAGE plpgsql
AS $$
BEGIN
  DROP TABLE IF EXISTS bench.part, bench.sample, bench.query;
  CREATE TABLE bench.part AS
  SELECT i, array_agg(bench.noise(i::bigint * dims + j) - 0.3 ORDER BY j)::memory_profile.vector AS v
  FROM generate_series(0, 999) i, generate_series(1, dims) j
  GROUP BY i;
  EXECUTE format('CREATE TABLE bench.sample (embedding memory_profile.%I NOT NULL)', type);
  ALTER TABLE bench.sample ALTER COLUMN embedding SET STORAGE PLAIN;
  INSERT INTO bench.sample
  SELECT memory_profile.l2_normalize(a.v OPERATOR(memory_profile.+) b.v)
  FROM generate_series(0, rows - 1) n
  JOIN bench.part a ON a.i = n % 1000
  JOIN bench.part b ON b.i = (n / 1000 + 7 * n + 1) % 1000;
  CREATE TABLE bench.query (LIKE bench.sample INCLUDING STORAGE);
  INSERT INTO bench.query SELECT embedding FROM bench.sample LIMIT 1;
END
$$;

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
