#!/usr/bin/env bash
# Tests the HTTP stack end to end: the real nginx, the real PostgREST, and the clients that people use.
# `keep` as an argument leaves the stack running and says how to reach it.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

HERE=$REPO/tests/http
CLIENTS=$LOCAL/clients

# Installs the pinned clients, once for each state of their lock files.
install_clients() {
  local stamp
  stamp=$(cat "$HERE/package-lock.json" "$HERE/requirements.txt" | sha256sum)
  if [ "$(cat "$CLIENTS/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  rm -rf "$CLIENTS" && mkdir -p "$CLIENTS"
  python3 -m venv "$CLIENTS/python"
  "$CLIENTS/python/bin/pip" install --quiet --require-hashes --only-binary=:all: -r "$HERE/requirements.txt"
  cp "$HERE/package.json" "$HERE/package-lock.json" "$CLIENTS"
  npm ci --prefix "$CLIENTS" --silent --ignore-scripts --no-audit --no-fund
  echo "$stamp" >"$CLIENTS/stamp"
}

# A stack in front of a function that answers with what it was asked, to see what the proxy makes of a request.
start_echo() {
  sql -c 'CREATE DATABASE echo'
  export PGDATABASE='echo'
  sql --file="$HERE/echo.sql"
  http_create_role
  http_start "$1/http-echo"
  export PGDATABASE=$DATABASE
}

ensure_node
install_clients
CLUSTER=$TEST/http
test_cluster http "$(test_pg_config "$(main_major)")" "shared_preload_libraries = 'memory_profile'" \
  "memory_profile.worker_databases = '$DATABASE'"

test_database "$DATABASE"
http_create_role
http_start "$CLUSTER/http"
start_echo "$CLUSTER"

BASE_URL=http://127.0.0.1:$(http_port "$CLUSTER/http")
ECHO_URL=http://127.0.0.1:$(http_port "$CLUSTER/http-echo")
ECHO_PID_FILE=$CLUSTER/http-echo/postgrest.pid
API_KEY=$(sql -Atc "SELECT memory_profile.api_key_create(name => 'tests')")
READ_KEY=$(sql -Atc "SELECT memory_profile.api_key_create(name => 'read only', scopes => '{profiles:read}')")
OTHER_KEY=$(sql -At -c "SELECT memory_profile.project_create('other') IS NULL" \
  -c "SELECT memory_profile.api_key_create('other', 'tests')" | tail -n 1)
export BASE_URL ECHO_URL ECHO_PID_FILE API_KEY READ_KEY OTHER_KEY

if [ "${1:-}" = keep ]; then
  say "BASE_URL=$BASE_URL API_KEY=$API_KEY READ_KEY=$READ_KEY OTHER_KEY=$OTHER_KEY PGHOST=$PGHOST PGUSER=$PGUSER PGDATABASE=$PGDATABASE"
  say "Enter ends it."
  read -r
  exit
fi

check_python() { timeout 600 "$CLIENTS/python/bin/python" -B -m unittest discover -v -s "$HERE" -p 'test_*.py'; }

# Node finds packages next to the file that asks for them, so the tests are run from a copy beside the clients.
check_node() {
  local test
  for test in "$HERE"/*.test.mjs; do
    [ -e "$test" ] || continue
    cp "$test" "$CLIENTS"
    timeout 600 node "$CLIENTS/${test##*/}"
  done
}

status=0
check_python || status=1
check_node || status=1
exit $status
