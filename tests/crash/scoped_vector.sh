#!/usr/bin/env bash
# The index access method and the end of the server in the middle of things: kill -9 while rows are inserted, updated and
# deleted, while a vacuum merges pages, while indexes are built by several processes. After each recovery every index is sound, and gives what
# a sort gives. A standby that replays all of it, and is read meanwhile, gives the same.
#
#   KILLS    how often the server is killed

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

KILLS=${KILLS:-5}

pg_config=$(test_pg_config "$(main_major)")
primary=$TEST/crash-index
standby=$TEST/crash-index-standby

test_cluster crash-index "$pg_config" 'fsync = on' 'wal_level = replica' 'max_wal_senders = 4' 'shared_buffers = 16MB' \
  'checkpoint_timeout = 30s' 'max_wal_size = 64MB' 'wal_keep_size = 1GB' 'autovacuum = off' 'hot_standby_feedback = on' \
  'min_parallel_table_scan_size = 0'
test_database "$DATABASE"
sql --file="$REPO/tests/lib/scoped_vector.sql"

# What goes on until the server is gone.
vacuum_on() { while sql -c 'VACUUM load.item' -c 'SELECT pg_sleep(random() / 10)' -c CHECKPOINT; do :; done; }
build_on() {
  while sql -c 'DROP INDEX IF EXISTS load.item_spare' \
    -c 'CREATE INDEX item_spare ON load.item USING scoped_vector (e memory_profile.scoped_vector_ip_ops) WITH (lists_from = 2000)' \
    -c 'REINDEX INDEX CONCURRENTLY load.item_nearest'; do :; done
}

start_load() {
  (sql -c 'CALL load.write(600, 30)' & sql -c 'CALL load.write(600, 30)' & vacuum_on & build_on & wait) >/dev/null 2>&1 &
  LOAD=$!
}

# shellcheck disable=SC2317 # called by wait_for
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# Kills the server and all its processes at once, as the end of the machine would.
kill_server() {
  local postmaster
  postmaster=$(as_server head -n 1 "$primary/data/postmaster.pid")
  # Stopped, it starts no process that would be overlooked, and that would wait for ever for a lock of a killed one.
  kill -STOP "$postmaster"
  # shellcheck disable=SC2046 # a list of process ids
  kill -KILL $(pgrep -P "$postmaster") "$postmaster" 2>/dev/null || true
  wait_for 10 is_gone "$postmaster"
  wait "$LOAD" 2>/dev/null || true
}

# An interrupted REINDEX CONCURRENTLY leaves its half of the work behind, marked invalid.
drop_invalid() {
  sql -Atc "SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index WHERE indrelid = 'load.item'::regclass AND NOT indisvalid" |
    sql
}

for ((kill = 1; kill <= KILLS; kill++)); do
  start_load
  sleep "$((RANDOM % 3)).$((RANDOM % 900 + 100))"
  kill_server
  cluster_start "$primary"
  check "kill $kill: every index is sound and gives what a sort gives" sql -c 'CALL load.verify()'
  drop_invalid
done
check 'the server went through recovery' grep -q 'automatic recovery in progress' "$primary/log/postgres.log"
same 'the table has rows' t "$(sql -Atc 'SELECT count(*) > 1000 FROM load.item')"

start_standby "$standby" "$primary"

on_standby() { (cluster_use "$standby" "$DATABASE" && sql "$@"); }

sql -c 'CALL load.write(5, 30)' &
writers=$!
sql -c 'SELECT pg_sleep(1)' -c 'VACUUM load.item' -c 'SELECT pg_sleep(1)' -c 'VACUUM load.item' >/dev/null &
writers="$writers $!"
while kill -0 "${writers%% *}" 2>/dev/null; do
  on_standby -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT load.compare(2)' -c COMMIT >/dev/null || { check 'the standby is read while it replays' false; break; }
  reads=$((${reads:-0} + 1))
done
# shellcheck disable=SC2086 # a list of process ids
wait $writers
sql -c 'VACUUM load.item'
position=$(sql -Atc 'SELECT pg_current_wal_flush_lsn()')
# shellcheck disable=SC2317 # called by wait_for
has_caught_up() { [ "$(on_standby -Atc "SELECT pg_last_wal_replay_lsn() >= '$position'")" = t ]; }
same 'the standby was read while it replayed' t "$([ "${reads:-0}" -gt 0 ] && echo t)"
check 'the standby catches up' wait_for 30 has_caught_up
check 'the standby gives what a sort gives' on_standby -Atc 'SELECT load.compare(20)'
same 'the standby gives the same answers' "$(sql -Atc 'SELECT load.digest()')" "$(on_standby -Atc 'SELECT load.digest()')"
cluster_stop "$standby" immediate

# An unlogged index is empty after a crash, as its table is, and usable.
export PGOPTIONS='-c search_path=memory_profile'
FILL='INSERT INTO load.quick SELECT i % 5, array[i, 1, 2]::vector FROM generate_series(1, 1000) i'
sql -c 'CREATE UNLOGGED TABLE load.quick (k integer, e vector(3))' -c "$FILL" \
  -c 'CREATE INDEX quick_index ON load.quick USING scoped_vector (k, e scoped_vector_l2_ops)'
cluster_stop "$primary" immediate
cluster_start "$primary"
same 'an unlogged index is empty after a crash' 0 "$(sql -Atc "SELECT rows FROM scoped_vector_stats('load.quick_index')")"
sql -c "$FILL"
check 'and can be filled again' sql -Atc "SELECT scoped_vector_check('load.quick_index', true)"
finish
