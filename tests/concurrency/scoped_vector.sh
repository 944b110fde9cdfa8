#!/usr/bin/env bash
# The index access method under concurrent use: two sessions write, one vacuums, one builds an index again and again, one
# searches and compares every answer with that of a sort under the same snapshot. In the end every index is sound.
#
#   LOAD_SECONDS    how long

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

LOAD_SECONDS=${LOAD_SECONDS:-15}

test_cluster concurrency-index "$(test_pg_config "$(main_major)")" "statement_timeout = '600s'" 'autovacuum = off' \
  'min_parallel_table_scan_size = 0'
test_database "$DATABASE"
sql --file="$REPO/tests/lib/scoped_vector.sql"

# shellcheck disable=SC2317 # called by check
search_on() {
  local until=$((SECONDS + LOAD_SECONDS)) searches=0
  while [ "$SECONDS" -lt "$until" ]; do
    sql -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT load.compare(5)' -c COMMIT >/dev/null || return 1
    searches=$((searches + 1))
  done
  [ "$searches" -gt 3 ]
}

# shellcheck disable=SC2317 # called by in_background
vacuum_on() {
  local until=$((SECONDS + LOAD_SECONDS))
  while [ "$SECONDS" -lt "$until" ]; do sql -c 'VACUUM load.item' || return 1; done
}

# shellcheck disable=SC2317 # called by in_background
build_on() {
  local until=$((SECONDS + LOAD_SECONDS))
  while [ "$SECONDS" -lt "$until" ]; do sql -c 'REINDEX INDEX CONCURRENTLY load.item_listed' || return 1; done
}

in_background() {
  "$@" &
  jobs+=($!)
}

jobs=()
in_background sql -c "CALL load.write($LOAD_SECONDS, 1)"
in_background sql -c "CALL load.write($LOAD_SECONDS, 20)"
in_background vacuum_on
in_background build_on
check 'searches beside writers and a vacuum give what a sort gives' search_on
for job in "${jobs[@]}"; do check 'everybody ends' wait "$job"; done
check 'every index is sound' sql -c 'CALL load.verify()'
sql -c 'VACUUM load.item'
check 'and after another vacuum, too' sql -c 'CALL load.verify()'
same 'the indexes have all rows' t "$(sql -Atc "SELECT rows = (SELECT count(*) FROM load.item) FROM memory_profile.scoped_vector_stats('load.item_nearest')")"
finish
