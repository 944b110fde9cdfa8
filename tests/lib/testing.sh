# shellcheck shell=bash
# What the stages of tests/check.sh share: private Postgres copies, throw-away clusters, one line per check.

TEST=$STATE/test

# The pg_config of the private copy that holds the extension for a major version.
test_pg_config() { cat "$TEST/pg_config.$1"; }

# The version for the stages that run on one only.
main_major() { cat "$TEST/main_major"; }

# Makes a cluster for this stage alone and points at it: test_cluster NAME PG_CONFIG [line of postgresql.conf…]
# It does not survive the script that asked for it, nor a crash of the machine, and is the faster for it.
test_cluster() {
  local dir=$TEST/$1 pg_config=$2
  shift 2
  cluster_remove "$dir"
  cluster_create "$dir" "$pg_config" 'fsync = off' 'max_connections = 60' "$@"
  trap end_test_clusters EXIT
  cluster_start "$dir"
  cluster_use "$dir" postgres
}

# Ends the clusters that this script has started, and what is in front of them. Other stages have theirs beside.
end_test_clusters() {
  local dir http
  for dir in "${STARTED[@]}"; do
    for http in "$dir"/http*/; do http_stop "${http%/}"; done
    cluster_remove "$dir"
  done
  STARTED=()
}

# Ends whatever runs under the directory of the tests, also what an earlier run left behind.
end_all_clusters() {
  local dir
  for dir in "$TEST"/*/http*/; do http_stop "${dir%/}"; done
  for dir in "$TEST"/*/; do
    if [ -s "${dir}bindir" ]; then cluster_remove "${dir%/}"; fi
  done
}

# Makes a database with the extension and goes there: test_database NAME
test_database() {
  sql --dbname=template1 -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1"
  export PGDATABASE=$1
  sql -c 'CREATE EXTENSION memory_profile'
}

# Makes a database with the extension and the sample: sample_database NAME
sample_database() {
  test_database "$1"
  sql --file="$REPO/docs/sample.sql" >/dev/null
}

snapshot() { sql --file="$REPO/tests/lib/snapshot.sql"; }

answers() { sql --file="$REPO/tests/lib/answers.sql"; }

# Makes a subject of which searches read a part, and says what they find there.
make_part() { sql --set subject="$1" --file="$REPO/tests/lib/part.sql" >/dev/null; }
part_answers() { sql --set subject="$1" --file="$REPO/tests/lib/part_answers.sql"; }

# What is wrong with the digests of the database.
digest_faults() { sql --file="$REPO/tests/lib/digests.sql"; }

# Starts an endpoint of a model that the tests play: start_endpoint DIRECTORY PROGRAM KEY. The program gets directory and key,
# and leaves there its port, its pid, and what it was asked in `requests`.
start_endpoint() {
  make_server_dir "$1"
  rm -f "$1"/{port,requests,pid,wrong}
  as_server touch "$1/requests"
  printf '%s\n' "$3" | as_server tee "$1/key" >/dev/null
  as_server tee "$1/failing_endpoint.py" <"$REPO/tests/lib/failing_endpoint.py" >/dev/null
  as_server env PYTHONPATH="$1" python3 -B - "$1" "$3" <"$2" &
  disown
  wait_for 10 test -s "$1/port"
}

# stop_endpoint DIRECTORY
stop_endpoint() {
  if [ -s "$1/pid" ]; then as_server kill "$(<"$1/pid")" || true; fi
  rm -f "$1/pid"
}

# Whether an endpoint that answered 429 once, and asked for some seconds, got no request before: was_left_alone DIRECTORY SECONDS
was_left_alone() {
  python3 -c '
import json, sys
requests = [json.loads(line) for line in open(sys.argv[1])]
at = [r["at"] for r in requests if r["status"] == 429]
sys.exit(not (len(at) == 1 and min(r["at"] for r in requests if r["at"] > at[0]) >= at[0] + float(sys.argv[2])))' "$1/requests" "$2"
}

# Makes a standby of the cluster that is pointed at, by base backup, and starts it: start_standby STANDBY PRIMARY
start_standby() {
  mkdir -p "$1"
  cp "$2/bindir" "$1"
  make_server_dir "$1/data"
  as_server "$(<"$1/bindir")/pg_basebackup" --pgdata="$1/data" --checkpoint=fast --no-sync --write-recovery-conf \
    --host="$PGHOST" --port="$PGPORT" --username="$PGUSER"
  cluster_start "$1"
}

FAILURES=0

# One check, one line that check.sh counts: check NAME COMMAND…
check() {
  local name=$1
  shift
  if "$@"; then
    echo "$name ... ok"
  else
    echo "$name ... FAILED"
    FAILURES=$((FAILURES + 1))
  fi
}

# same NAME EXPECTED ACTUAL
same() {
  check "$1" [ "$2" = "$3" ]
  [ "$2" = "$3" ] || diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | head -n 40 || true
}

# The last line of a script that made checks.
finish() { exit $((FAILURES > 0)); }
