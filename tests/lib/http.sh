# shellcheck shell=bash
# PostgREST and nginx in front of a cluster, from the very files that the documentation shows.

AUTHENTICATOR=memory_profile_authenticator
FIRST_PORT=8484

http_create_role() {
  sql <<SQL
DO \$\$
BEGIN
  IF to_regrole('$AUTHENTICATOR') IS NULL THEN
    CREATE ROLE $AUTHENTICATOR LOGIN NOINHERIT;
  END IF;
END
\$\$;
ALTER ROLE $AUTHENTICATOR SET statement_timeout = '30s';
GRANT memory_profile_http TO $AUTHENTICATOR;
SQL
}

# Fills in a template of docs/http: render NAME OUTPUT KEY VALUE [KEY VALUE…]
render() {
  local text output=$2
  text=$(<"$REPO/docs/http/$1.template")
  shift 2
  while [ $# -gt 0 ]; do
    text=${text//"@$1@"/"$2"}
    shift 2
  done
  printf '%s\n' "$text" >"$output"
}

# The text of a path in the query part of a URI.
uri_encode() { python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$1"; }

# Sockets live together: the directory of the cluster's has a name that is short enough.
http_socket() { echo "$PGHOST/${1##*/}.sock"; }

postgrest_start() {
  local dir=$1 binary uri
  binary=$(ensure_postgrest)
  uri="postgresql://$AUTHENTICATOR@/$PGDATABASE?host=$(uri_encode "$PGHOST")&port=$PGPORT"
  render postgrest.conf "$dir/postgrest.conf" DB_URI "$uri" SOCKET "$(http_socket "$dir")"
  as_server rm -f "$(http_socket "$dir")"
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_server sh -c 'setsid "$1" "$2/postgrest.conf" </dev/null >>"$2/postgrest.log" 2>&1 & echo $! >"$2/postgrest.pid"' \
    sh "$binary" "$dir"
}

nginx_run() {
  as_server "$(command -v nginx)" -e "$1/nginx.log" -c "$1/nginx.conf" </dev/null >"$1/start.log" 2>&1
}

# Any answer of the function means that the whole way is open; 5xx is the proxy waiting for it.
http_answers() { [[ $(curl -s -o /dev/null -w '%{http_code}' --max-time 2 "http://127.0.0.1:$1/") == [234]?? ]]; }

http_port() { cat "$1/port" 2>/dev/null; }

http_is_up() {
  is_running "$1/nginx.pid" "$1/nginx.conf" && is_running "$1/postgrest.pid" "$1/postgrest.conf" &&
    http_answers "$(http_port "$1")"
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

next_free_port() {
  local port=$1
  while port_is_taken "$port"; do port=$((port + 1)); done
  echo "$port"
}

# Starts nginx on the port of the last time, else on the first free one. Another program may take the port in between:
# nginx then says so, and the next one is tried.
nginx_start() {
  local dir=$1 port
  port=$(http_port "$dir" || echo $FIRST_PORT)
  while :; do
    port=$(next_free_port "$port")
    render nginx.conf "$dir/nginx.conf" LISTEN "127.0.0.1:$port" POSTGREST "unix:$(http_socket "$dir")" RUN_DIR "$dir"
    if nginx_run "$dir"; then break; fi
    grep -q 'Address already in use' "$dir/start.log" || die "nginx did not start" "$(tail -n 3 "$dir/start.log")"
  done
  echo "$port" >"$dir/port"
}

# Starts both for the database that the environment points at: http_start DIRECTORY
http_start() {
  local dir=$1
  http_stop "$dir"
  make_server_dir "$dir"
  postgrest_start "$dir"
  nginx_start "$dir"
  wait_for 30 http_answers "$(http_port "$dir")" ||
    die "no answer on http://127.0.0.1:$(http_port "$dir")" "$(tail -n 3 "$dir/nginx.log" "$dir/postgrest.log")"
}

http_stop() {
  stop_process "$1/nginx.pid" "$1/nginx.conf"
  stop_process "$1/postgrest.pid" "$1/postgrest.conf"
}
