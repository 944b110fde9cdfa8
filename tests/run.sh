#!/usr/bin/env bash
# What `make run`, `make stop` and their like do: tests/run.sh up | down | reset | psql | build | install
#
# `up` may be called at any time: it does what is not done yet, and is over in seconds when everything is.

source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$REPO/tests/lib/deps.sh"
source "$REPO/tests/lib/build.sh"
source "$REPO/tests/lib/cluster.sh"
source "$REPO/tests/lib/http.sh"

RUN=$STATE/run
ENV_FILE=$LOCAL/env

step() { say "· $*"; }

build() {
  ensure_packages run
  step "Building for PostgreSQL $(pg_major "$PG_CONFIG")"
  build_extension "$PG_CONFIG"
  MODEL=$(build_model)
}

# A digest of what a running server has loaded, to see when it has to start again.
library_digest() { sha256sum <"$("$1" --pkglibdir)/memory_profile.so"; }

script_digest() { sha256sum <"$("$1" --sharedir)/extension/memory_profile--$(extension_version).sql"; }

start_cluster() {
  local pg_config=$1 digest
  digest=$(library_digest "$pg_config")
  if ! cluster_exists "$RUN"; then
    step "Creating a private cluster in $RUN"
    cluster_create "$RUN" "$pg_config" "shared_preload_libraries = 'memory_profile'" \
      "memory_profile.worker_databases = '$DATABASE'"
  elif cluster_is_up "$RUN" && [ "$(cat "$RUN/library.digest" 2>/dev/null)" != "$digest" ]; then
    step "The library has changed: starting Postgres again"
    http_stop "$RUN/http"
    cluster_stop "$RUN"
  fi
  if ! cluster_is_up "$RUN"; then
    step "Starting Postgres"
    cluster_start "$RUN"
    echo "$digest" >"$RUN/library.digest"
  fi
  cluster_use "$RUN"
}

has_database() { [ "$(sql --dbname=template1 -Atc "SELECT 1 FROM pg_database WHERE datname = '$DATABASE'")" = 1 ]; }

# The database is complete when its last part is there; one that was interrupted on the way is made again.
create_database() {
  local pg_config=$1
  if [ ! -s "$RUN/api_key" ] || ! has_database; then
    step "Creating the database with a small sample"
    sql --dbname=template1 -c "DROP DATABASE IF EXISTS $DATABASE WITH (FORCE)" -c "CREATE DATABASE $DATABASE"
    sql -c 'CREATE EXTENSION memory_profile'
    script_digest "$pg_config" >"$RUN/script.digest"
    http_create_role
    sql --file="$REPO/docs/sample.sql" >/dev/null
    sql -Atc "SELECT memory_profile.api_key_create(name => 'make run')" >"$RUN/api_key.new"
    mv "$RUN/api_key.new" "$RUN/api_key"
  elif [ "$(<"$RUN/script.digest")" != "$(script_digest "$pg_config")" ]; then
    say "  The extension's SQL has changed since this database was made; the database keeps the older one."
    say "  'make reset run' makes it anew, which forgets what is in it."
  fi
}

write_env() {
  {
    echo "# Made by 'make run'; use it with: . $ENV_FILE"
    printf 'export %s=%q\n' BASE_URL "http://127.0.0.1:$(http_port "$RUN/http")" API_KEY "$(<"$RUN/api_key")" \
      PGHOST "$PGHOST" PGPORT "$PGPORT" PGDATABASE "$PGDATABASE" PGUSER "$PGUSER"
  } >"$ENV_FILE.new"
  chmod 600 "$ENV_FILE.new"
  mv "$ENV_FILE.new" "$ENV_FILE"
}

up() {
  build
  local pg_config
  pg_config=$(copy_postgres "$PG_CONFIG" "$STATE/pgsql/$(pg_major "$PG_CONFIG")")
  install_extension "$pg_config" "$MODEL"
  start_cluster "$pg_config"
  create_database "$pg_config"
  if ! http_is_up "$RUN/http"; then
    step "Starting PostgREST and nginx"
    http_start "$RUN/http"
  fi
  write_env
  welcome
}

welcome() {
  cat <<TEXT

memory_profile is running at http://127.0.0.1:$(http_port "$RUN/http"), on PostgreSQL $(psql -XAtc 'SHOW server_version').

  . .local/env        # sets BASE_URL, API_KEY and what psql needs

  make psql           # SQL, for example:
    SELECT memory_profile.profile_get('user_123');
    SELECT memory, similarity FROM memory_profile.memory_search('user_123', 'what is she working on?');

  curl \$BASE_URL/v4/profile -H "Authorization: Bearer \$API_KEY" -H 'Content-Type: application/json' \\
    -d '{"containerTag": "user_123", "q": "what is she working on?"}'

  make stop           # ends it; the data stays
  make reset          # ends it and forgets everything
TEXT
}

down() {
  http_stop "$RUN/http"
  cluster_stop "$RUN"
}

reset() {
  down
  cluster_remove "$RUN"
  rm -f "$ENV_FILE"
}

prompt() {
  cluster_is_up "$RUN" || die "nothing is running: 'make run' starts it"
  cluster_use "$RUN"
  exec psql
}

install_here() {
  build
  install_extension "$PG_CONFIG" "$MODEL"
  say "Installed into $("$PG_CONFIG" --pkglibdir) and $("$PG_CONFIG" --sharedir). Now, in a database: CREATE EXTENSION memory_profile;"
}

case ${1:-} in
  up) up ;;
  down) down ;;
  reset) reset ;;
  psql) prompt ;;
  build) build ;;
  install) install_here ;;
  *) die "usage: tests/run.sh up | down | reset | psql | build | install" ;;
esac
