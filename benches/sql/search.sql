-- Nearest rows of a tenant, beside pgvector: one table, one column, and indexes of each. Needs bench.make_sample().
CREATE TABLE bench.item (id bigint, tenant integer, kind integer, e memory_profile.vector(384) NOT NULL);

-- The ten nearest rows of each question; `filter` is a condition on them.
CREATE TABLE bench.question (size integer, filter text, asked integer, tenant integer, q memory_profile.vector(384), nearest bigint[]);

-- Three hundred topics, and rows around them, as texts have. One tenant with a fifth of all rows, twenty with a hundredth
-- each, and tenants of a hundred rows, in random order.
CREATE PROCEDURE bench.make_tenants(rows integer)
LANGUAGE plpgsql
SET search_path = memory_profile, bench
AS $$
BEGIN
  CREATE TABLE bench.topic AS SELECT i AS topic, l2_normalize(v) AS v FROM bench.part WHERE i < 300;
  INSERT INTO bench.item
  SELECT n, CASE WHEN p < rows / 5 THEN 0 WHEN p < rows * 2 / 5 THEN 1 + (p - rows / 5) / (rows / 100) ELSE 100 + p / 100 END, n % 10,
    l2_normalize(v + v + embedding)
  FROM (SELECT n, (n - 1) * 7919 % rows AS p, embedding FROM (SELECT row_number() OVER () AS n, embedding FROM bench.sample) s) s
  JOIN bench.topic ON topic = n * 104729 % 300;
END
$$;

-- Questions for tenants of a size, or for all rows where it is null, with their exact answers.
CREATE PROCEDURE bench.make_questions(wanted integer, filter text)
LANGUAGE plpgsql
SET search_path = memory_profile, bench
AS $$
DECLARE
  tenants integer[] := (SELECT array_agg(tenant) FROM (SELECT tenant FROM bench.item GROUP BY 1 HAVING abs(count(*) - wanted) <= wanted / 100 LIMIT 20) t);
BEGIN
  INSERT INTO bench.question
  SELECT wanted, filter, n, tenants[1 + n % cardinality(tenants)], l2_normalize(v + v + embedding)
  FROM (SELECT row_number() OVER () AS n, embedding FROM bench.sample OFFSET 50 LIMIT 20) s JOIN bench.topic ON topic = n * 13 % 300;
  EXECUTE format('UPDATE bench.question o SET nearest = ARRAY(
      SELECT id FROM (SELECT id, e <=> o.q AS d FROM bench.item WHERE (o.tenant IS NULL OR item.tenant = o.tenant) %s OFFSET 0) s ORDER BY d, id LIMIT 10)
    WHERE size IS NOT DISTINCT FROM $1 AND filter = $2', filter) USING wanted, filter;
END
$$;

-- Makes bench.ask(), which asks these questions again and again for some time; its query is planned once, as an
-- application's would be. `query` has the tenant as `wanted` and the vector as `q`. It returns the milliseconds of each
-- answer, and the part of the ten nearest that was found.
CREATE PROCEDURE bench.make_search(query text)
LANGUAGE plpgsql
AS $make$
BEGIN
  EXECUTE format($definition$
    CREATE OR REPLACE FUNCTION bench.ask(rows integer, filtered text, seconds double precision,
      OUT p50 double precision, OUT p95 double precision, OUT recall double precision)
    LANGUAGE plpgsql
    SET search_path = memory_profile, bench
    AS $$
    DECLARE
      finish timestamptz := clock_timestamp() + make_interval(secs => seconds);
      times double precision[] := '{}';
      questions bench.question[] := ARRAY(SELECT o FROM bench.question o WHERE size IS NOT DISTINCT FROM rows AND filter = filtered ORDER BY asked);
      question bench.question;
      wanted integer;
      q memory_profile.vector;
      started timestamptz;
      found bigint[];
      hits integer := 0;
      possible integer := 0;
      asked integer := 0;
    BEGIN
      -- At least each question once, beyond the first times, in which the query is planned anew.
      WHILE clock_timestamp() < finish OR asked < cardinality(questions) + 6 LOOP
        question := questions[1 + asked %% cardinality(questions)];
        wanted := question.tenant;
        q := question.q;
        started := clock_timestamp();
        found := ARRAY(%s);
        IF asked >= 6 THEN times := times || extract(epoch FROM clock_timestamp() - started) * 1000; END IF;
        IF asked < cardinality(questions) THEN
          hits := hits + (SELECT count(*) FROM unnest(found) f WHERE f = ANY (question.nearest));
          possible := possible + cardinality(question.nearest);
        END IF;
        asked := asked + 1;
      END LOOP;
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t), percentile_cont(0.95) WITHIN GROUP (ORDER BY t) INTO p50, p95 FROM unnest(times) t;
      recall := hits::double precision / possible;
    END
    $$
  $definition$, query);
END
$make$;

-- Inserts rows in transactions of a thousand, or of as many as there are, and removes them; returns how many a second.
CREATE PROCEDURE bench.insert(rows integer, INOUT rate double precision DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
  size CONSTANT integer := least(rows, 1000);
  started timestamptz;
  seconds double precision := 0;
BEGIN
  CREATE TEMPORARY TABLE arriving AS SELECT row_number() OVER () AS n, tenant, kind, e FROM bench.item WHERE tenant IS NOT NULL LIMIT rows;
  CREATE INDEX ON arriving (n);
  COMMIT;
  FOR batch IN 0..rows / size - 1 LOOP
    started := clock_timestamp();
    FOR i IN 1 + batch * size..size + batch * size LOOP
      INSERT INTO bench.item SELECT -1, tenant, kind, e FROM arriving WHERE n = i;
    END LOOP;
    COMMIT;
    seconds := seconds + extract(epoch FROM clock_timestamp() - started);
  END LOOP;
  DELETE FROM bench.item WHERE id = -1;
  DROP TABLE arriving;
  COMMIT;
  rate := rows / size * size / seconds;
END
$$;
