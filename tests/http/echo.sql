-- Stands in for the extension behind the proxy: answers with the request as the database sees it, or as a query
-- parameter of the request says: ?status=404, ?raise=PT500.

CREATE SCHEMA memory_profile_http;

DO $$
BEGIN
  IF to_regrole('memory_profile_http') IS NULL THEN
    CREATE ROLE memory_profile_http NOLOGIN;
  END IF;
END
$$;

CREATE DOMAIN memory_profile_http."*/*" AS bytea;

CREATE FUNCTION memory_profile_http.request(bytea) RETURNS memory_profile_http."*/*"
LANGUAGE plpgsql
AS $$
DECLARE
  headers constant jsonb := current_setting('request.headers')::jsonb;
  uri constant text := headers ->> 'x-original-uri';
  status constant text := coalesce(substring(uri FROM '[?&]status=(\d+)'), '200');
  failure constant text := substring(uri FROM '[?&]raise=(\w+)');
  body text;
BEGIN
  IF failure IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = failure, MESSAGE = 'not for the client', DETAIL = 'nor this';
  END IF;
  PERFORM set_config('response.status', status, true);
  IF status = '204' THEN
    RETURN ''::bytea;
  END IF;
  body := jsonb_build_object('headers', headers, 'bytes', length($1), 'md5', md5($1), 'role', current_user)::text;
  PERFORM set_config('response.headers', ('[{"Content-Type": "application/json"}, {"x-should-retry": "false"}, {"Retry-After": "7"}, {"WWW-Authenticate": "Bearer"}]'::jsonb
    || CASE status WHEN '413' THEN jsonb_build_array(jsonb_build_object('X-Error-Body', body)) ELSE '[]' END)::text, true);
  RETURN convert_to(body, 'UTF8');
END
$$;

GRANT USAGE ON SCHEMA memory_profile_http TO memory_profile_http;
GRANT EXECUTE ON FUNCTION memory_profile_http.request(bytea) TO memory_profile_http;
