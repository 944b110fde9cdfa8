# shellcheck shell=bash
# Private clusters: made, started and stopped by their directory. They listen on a socket that only their owner (and
# root) can reach, so they need no password and no port, and any number of them runs side by side.

SUPERUSER=postgres
DATABASE=memory_profile

# The longest path of a socket is 107 bytes; of a directory for it, with the name of the socket, fewer.
LONGEST_SOCKET_DIR=88

# The directory of the cluster's socket: inside the cluster, else one with a short name.
socket_dir() {
  local dir=$1/socket
  if [ ${#dir} -gt $LONGEST_SOCKET_DIR ]; then dir=$(<"$1/short_socket_dir"); fi
  echo "$dir"
}

make_socket_dir() {
  local dir=$1/socket short
  make_server_dir "$dir"
  [ ${#dir} -gt $LONGEST_SOCKET_DIR ] || return 0
  if [ ! -s "$1/short_socket_dir" ] || [ ! -d "$(<"$1/short_socket_dir")" ]; then
    short=$(mktemp -d "${TMPDIR:-/tmp}/memory_profile.XXXXXX")
    make_server_dir "$short"
    echo "$short" >"$1/short_socket_dir"
  fi
}

# The directories of the clusters that this script has started.
STARTED=()

# Makes an empty cluster: cluster_create DIRECTORY PG_CONFIG [line of postgresql.conf…]
cluster_create() {
  local dir=$1 pg_config=$2 bin options=()
  shift 2
  bin=$("$pg_config" --bindir)
  mkdir -p "$dir"
  echo "$bin" >"$dir/bindir"
  make_server_dir "$dir/data"
  # A cluster that need not survive the machine need not be on the disk when it begins.
  if [[ $* == *'fsync = off'* ]]; then options+=(--no-sync); fi
  as_server "$bin/initdb" --pgdata="$dir/data" --username=$SUPERUSER --auth=trust --encoding=UTF8 --locale=C.UTF-8 "${options[@]}" \
    >"$dir/initdb.log" 2>&1 || die "initdb failed, see $dir/initdb.log" "$(tail -n 3 "$dir/initdb.log")"
  printf '%s\n' "listen_addresses = ''" "$@" | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
}

cluster_exists() { [ -s "$1/bindir" ] && as_server test -s "$1/data/PG_VERSION"; }

cluster_is_up() {
  cluster_exists "$1" && as_server "$(<"$1/bindir")/pg_ctl" status --pgdata="$1/data" >/dev/null 2>&1
}

cluster_start() {
  local dir=$1
  STARTED+=("$dir")
  make_socket_dir "$dir"
  make_server_dir "$dir/log"
  as_server "$(<"$dir/bindir")/pg_ctl" start --silent --wait --timeout=120 --pgdata="$dir/data" \
    --log="$dir/log/postgres.log" --options="-k '$(socket_dir "$dir")'" </dev/null >/dev/null 2>&1 ||
    die "Postgres did not start, see $dir/log/postgres.log" "$(tail -n 3 "$dir/log/postgres.log" 2>/dev/null)"
}

# cluster_stop DIRECTORY [smart|fast|immediate]
cluster_stop() {
  if cluster_is_up "$1"; then
    as_server "$(<"$1/bindir")/pg_ctl" stop --silent --wait --mode="${2:-fast}" --pgdata="$1/data" >/dev/null
  fi
}

# Ends a cluster and removes every trace of it.
cluster_remove() {
  cluster_stop "$1" immediate
  if [ -s "$1/short_socket_dir" ]; then rm -rf "$(<"$1/short_socket_dir")"; fi
  rm -rf "$1"
}

# Points the programs of Postgres at a cluster: cluster_use DIRECTORY [DATABASE]
cluster_use() {
  PGHOST=$(socket_dir "$1")
  PGPORT=5432 PGUSER=$SUPERUSER PGDATABASE=${2:-$DATABASE}
  export PGHOST PGPORT PGUSER PGDATABASE PSQL_PAGER=
  PATH=$(<"$1/bindir"):$PATH
}

# psql that stops at the first error, reads no start-up file, and says nothing that is not a warning.
sql() { PGOPTIONS="-c client_min_messages=warning ${PGOPTIONS:-}" psql -X --quiet --set ON_ERROR_STOP=1 "$@"; }
