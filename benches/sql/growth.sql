-- How the index of vectors grows. Needs bench.make_sample().
CREATE TABLE bench.grown (id bigint, namespace integer, e memory_profile.vector(384) NOT NULL);

-- The rows of the sample, of which there may be fewer than rows that are wanted.
CREATE TABLE bench.part_of_row AS SELECT row_number() OVER () AS part, embedding FROM bench.sample;
CREATE UNIQUE INDEX ON bench.part_of_row (part);

-- Three hundred topics, and rows around them, as texts have.
CREATE TABLE bench.topic AS SELECT i AS topic, memory_profile.l2_normalize(v) AS v FROM bench.part WHERE i < 300;

CREATE FUNCTION bench.about(v memory_profile.vector, embedding memory_profile.vector) RETURNS memory_profile.vector
LANGUAGE sql IMMUTABLE
SET search_path = memory_profile
AS $$ SELECT l2_normalize(v + v + embedding) $$;

-- Adds rows until there are so many in so many namespaces, and does what autovacuum would.
CREATE PROCEDURE bench.grow(rows integer, namespaces integer)
LANGUAGE sql
AS $$
  INSERT INTO bench.grown
  SELECT n, n % namespaces, bench.about(v, embedding)
  FROM (SELECT n, n % parts + 1 AS part, (n * 7919 + n / parts) % 300 AS topic
        FROM (SELECT count(*) AS parts FROM bench.part_of_row) p, generate_series((SELECT count(*) FROM bench.grown) + 1, rows) n) s
  JOIN bench.part_of_row USING (part) JOIN bench.topic USING (topic)
$$;

-- Asks again and again for the ten nearest rows of changing namespaces. Returns milliseconds, and the part of the ten
-- nearest that was found; equally near ones count, since some vectors are there more than once.
CREATE FUNCTION bench.time_grown(namespaces integer, seconds double precision,
  OUT p50 double precision, OUT p95 double precision, OUT recall double precision)
LANGUAGE plpgsql
SET search_path = memory_profile, bench
SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
  questions memory_profile.vector[] := ARRAY(SELECT bench.about(v, embedding) FROM
    (SELECT row_number() OVER () AS n, embedding FROM bench.sample OFFSET 50 LIMIT 200) s JOIN bench.topic ON topic = n * 13 % 300);
  finish timestamptz;
  times double precision[] := '{}';
  wanted integer;
  q memory_profile.vector;
  started timestamptz;
  finished timestamptz;
  found double precision[];
  tenth double precision;
  asked integer := 0;
  hits integer := 0;
  possible integer := 0;
BEGIN
  -- The first twenty searches are compared with all rows. Only those that follow are timed: a comparison empties the caches, and
  -- with many namespaces it took all of the time.
  WHILE asked <= 20 OR clock_timestamp() < finish LOOP
    wanted := asked::bigint * 7919 % namespaces;
    q := questions[1 + asked % cardinality(questions)];
    started := clock_timestamp();
    found := ARRAY(SELECT e <=> q FROM bench.grown WHERE namespace = wanted ORDER BY e <=> q LIMIT 10);
    finished := clock_timestamp();
    IF asked < 20 THEN
      -- In an order that no index has.
      tenth := (SELECT max(d) FROM (SELECT (e <=> q) + 0 AS d FROM bench.grown WHERE namespace + 0 = wanted ORDER BY 1 LIMIT 10) s);
      hits := hits + (SELECT count(*) FROM unnest(found) d WHERE d <= tenth);
      possible := possible + (SELECT count(*) FROM (SELECT FROM bench.grown WHERE namespace + 0 = wanted LIMIT 10) s);
      finish := clock_timestamp() + make_interval(secs => seconds);
    ELSE
      times := times || extract(epoch FROM finished - started) * 1000;
    END IF;
    asked := asked + 1;
  END LOOP;
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t), percentile_cont(0.95) WITHIN GROUP (ORDER BY t) INTO p50, p95 FROM unnest(times) t;
  recall := hits::double precision / possible;
END
$$;
