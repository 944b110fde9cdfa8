-- Nearest rows of a tenant, beside pgvector: one table, one column, and an index of each. Needs bench.make_sample().
CREATE TABLE bench.item (id bigint, tenant integer, kind integer, e memory_profile.vector(384) NOT NULL);

-- One tenant with a fifth of all rows, twenty with a hundredth each, and tenants of a hundred rows, in random order.
CREATE PROCEDURE bench.make_tenants(rows integer)
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO bench.item
  SELECT n, CASE WHEN p < rows / 5 THEN 0 WHEN p < rows * 2 / 5 THEN 1 + (p - rows / 5) / (rows / 100) ELSE 100 + p / 100 END, n % 10, embedding
  FROM (SELECT n, (n - 1) * 7919 % rows AS p, embedding FROM (SELECT row_number() OVER () AS n, embedding FROM bench.sample) s) s;
END
$$;

-- Asks again and again for the ten nearest rows of changing tenants of a size; `query` has the tenant as $1 and the
-- vector as $2. Returns milliseconds, and the part of the ten nearest that was found.
CREATE FUNCTION bench.time_search(query text, size integer, filter text, seconds double precision, settings text,
  OUT p50 double precision, OUT p95 double precision, OUT recall double precision)
LANGUAGE plpgsql
SET search_path = memory_profile, bench
AS $$
DECLARE
  tenants integer[] := (SELECT array_agg(tenant) FROM (SELECT tenant FROM bench.item GROUP BY 1 HAVING abs(count(*) - size) <= size / 100 LIMIT 20) t);
  finish timestamptz := clock_timestamp() + make_interval(secs => seconds);
  times double precision[] := '{}';
  wanted integer;
  q memory_profile.vector;
  started timestamptz;
  found bigint[];
  exact bigint[];
  hits bigint := 0;
  asked bigint := 0;
BEGIN
  EXECUTE settings;
  WHILE clock_timestamp() < finish OR asked < 5 LOOP
    wanted := tenants[1 + asked % cardinality(tenants)];
    q := (SELECT embedding FROM bench.sample OFFSET asked * 101 % 1000 LIMIT 1);
    started := clock_timestamp();
    EXECUTE format('SELECT array_agg(id) FROM (%s) r', format(query, filter)) INTO found USING wanted, q;
    times := times || extract(epoch FROM clock_timestamp() - started) * 1000;
    IF asked < 20 THEN
      EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM (SELECT id, e <=> $2 AS d FROM bench.item WHERE tenant = $1 %s OFFSET 0) s ORDER BY d, id LIMIT 10) r', filter)
        INTO exact USING wanted, q;
      hits := hits + (SELECT count(*) FROM unnest(found) f WHERE f = ANY (exact));
      recall := hits / (10.0 * (asked + 1));
    END IF;
    asked := asked + 1;
  END LOOP;
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t), percentile_cont(0.95) WITHIN GROUP (ORDER BY t) INTO p50, p95 FROM unnest(times) t;
END
$$;
