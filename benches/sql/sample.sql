-- The vectors that are searched and compared.
CREATE SCHEMA bench;

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
