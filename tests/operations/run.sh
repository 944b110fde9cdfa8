#!/usr/bin/env bash
# What an operator does besides dump and restore, each as docs/operations.md says it: a restore by several processes, a role that
# makes backups, logical replication and its switchover, point-in-time recovery, a standby that is promoted while jobs run,
# background workers that the server has no room for, and the erasure of much.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

pg_config=$(test_pg_config "$(main_major)")
primary=$TEST/operations
dump=$TEST/operations.dump

# Starts a cluster from a base backup of the primary: from_backup DIRECTORY [line of postgresql.conf…]
from_backup() {
  local dir=$1
  shift
  cluster_create_empty "$dir"
  as_server "$(<"$dir/bindir")/pg_basebackup" --pgdata="$dir/data" --checkpoint=fast --no-sync --host="$PGHOST" --port="$PGPORT" --username="$PGUSER"
  printf '%s\n' "$@" | as_server tee -a "$dir/data/postgresql.auto.conf" >/dev/null
}

# A place for a cluster whose data come from elsewhere.
cluster_create_empty() {
  cluster_remove "$1"
  mkdir -p "$1"
  cp "$primary/bindir" "$1"
  make_server_dir "$1/data"
}

# Asks another cluster: at DIRECTORY psql-arguments…
at() {
  local dir=$1
  shift
  (cluster_use "$dir" "$DATABASE" && sql -At "$@")
}

# Waits until a cluster answers a question as it should: answers_at SECONDS DIRECTORY ANSWER QUESTION
answers_at() { wait_for "$1" is_answer "$2" "$3" "$4"; }
# shellcheck disable=SC2317 # called by wait_for
is_answer() { [ "$(at "$1" -c "$3" 2>/dev/null)" = "$2" ]; }

OPEN_JOBS="SELECT count(*) FROM memory_profile.job WHERE status IN ('queued', 'running')"

# Every village is a fact of its own, so that one that was learned twice, or not, shows.
learn_villages() {
  sql -At -c "SELECT count(memory_profile.learn('traveller_' || i % 20, 'I have been to the village number ' || i || '.'))
    FROM generate_series($1, $2) i" >/dev/null
}
VILLAGES="SELECT count(*), count(DISTINCT content), max(seen_count) FROM memory_profile.memory WHERE content LIKE '%the village number %'"

mkdir -p "$TEST/operations-archive"
make_server_dir "$TEST/operations-archive"
rm -f "$TEST/operations-archive"/*
test_cluster operations "$pg_config" 'fsync = on' 'wal_level = logical' 'wal_keep_size = 1GB' 'archive_mode = on' \
  "archive_command = 'cp %p $TEST/operations-archive/%f'" "shared_preload_libraries = 'memory_profile'" \
  "memory_profile.worker_databases = '$DATABASE, missing, unserved'" 'memory_profile.workers_per_database = 2' \
  "memory_profile.worker_naptime = '50ms'" 'max_worker_processes = 3'
sample_database "$DATABASE"
sql -c 'CREATE ROLE reader LOGIN' -c 'GRANT memory_profile_user TO reader' -c "SELECT memory_profile.project_create('books')" \
  -c "SELECT memory_profile.project_bind('books', 'reader')" >/dev/null
answers_at 30 "$primary" 0 "$OPEN_JOBS"

# ------------------------------------------------------------------------------------------- background workers

# Besides its own process for replication the server has room for two of those that three databases ask for: of the first two, of which
# one does not exist. Nobody serves the third database, and nothing may be left to a worker there.
same 'the server says that workers are too many' t \
  "$(grep -q 'too many background workers' "$primary/log/postgres.log" && echo t)"
check 'the first database has one that runs jobs' answers_at 30 "$primary" 1 "SELECT count(*) FROM pg_stat_activity
  WHERE backend_type = 'memory_profile jobs' AND datname = '$DATABASE'"
learn_villages 1 5
check 'its jobs are run' answers_at 30 "$primary" '5|5|1' "$VILLAGES"
test_database unserved
same 'where no worker was started, who listens is told by the writer' 1 "$(sql -At -c 'LISTEN memory_profile' \
  -c "SELECT memory_profile.memory_add('u', 'Is heard')" -c 'SELECT 1' | grep -c 'memory.created')"
same 'and no note waits for a worker' 0 "$(sql -Atc 'SELECT count(*) FROM memory_profile.notification')"
export PGDATABASE=$DATABASE
sql -c "ALTER SYSTEM SET memory_profile.worker_databases = 'unserved'" -c 'SELECT pg_reload_conf()' >/dev/null
before=$(sql -Atc "SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'memory_profile jobs' AND datname = '$DATABASE'")
sql -Atc "SELECT pg_terminate_backend($before)" >/dev/null
check 'a worker that is started again serves its database, whatever has been set since' answers_at 30 "$primary" t \
  "SELECT count(*) = 1 AND bool_and(datname = '$DATABASE' AND pid <> $before) FROM pg_stat_activity WHERE backend_type = 'memory_profile jobs'"
sql -c 'ALTER SYSTEM RESET memory_profile.worker_databases' -c 'SELECT pg_reload_conf()' >/dev/null

# ------------------------------------------------------------------------------------------------------- restore

# All that a dump holds: not the notes of what is still to be told.
dumped() { snapshot | grep -v '^memory_profile.notification'; }

answers_at 30 "$primary" 0 "$OPEN_JOBS"
expected=$(dumped)
sql -c 'CREATE ROLE backup LOGIN BYPASSRLS' -c 'GRANT pg_read_all_data TO backup'
rm -rf "$dump"
check 'a role that may read everything dumps' pg_dump --username=backup --format=directory --jobs=2 --file="$dump" "$DATABASE"

# Restores the dump: restore DATABASE pg_restore-options…
# shellcheck disable=SC2317 # called by check
restore() {
  local database=$1
  shift
  sql --dbname=postgres -c "CREATE DATABASE $database"
  pg_restore --exit-on-error --dbname="$database" "$@" "$dump"
}

# shellcheck disable=SC2317 # called by check
without_foreign_keys() { PGOPTIONS='-c session_replication_role=replica' "$@"; }

check 'several processes restore, with foreign keys put off' without_foreign_keys restore restored --jobs=3
same 'nothing is lost by it' "$expected" "$(PGDATABASE=restored dumped)"
same 'and what was restored can be written' t \
  "$(sql -At --dbname=restored -c "SELECT memory_profile.memory_add('user_123', 'Sarah has been restored') <> ''")"

sql -c "ALTER SYSTEM SET memory_profile.chat_url = 'http://127.0.0.1:9/v1'" -c "ALTER SYSTEM SET memory_profile.chat_model = 'none'" \
  -c 'SELECT pg_reload_conf()' >/dev/null
check 'a language model is set up' answers_at 10 "$primary" none 'SHOW memory_profile.chat_model'
check 'a restore beside it succeeds' restore with_model
same 'and leads to no question to it' "$expected" "$(PGDATABASE=with_model dumped)"
sql -c 'ALTER SYSTEM RESET memory_profile.chat_url' -c 'ALTER SYSTEM RESET memory_profile.chat_model' -c 'SELECT pg_reload_conf()' >/dev/null
check 'it is gone again' answers_at 10 "$primary" '' 'SHOW memory_profile.chat_model'

# ------------------------------------------------------------------------------------------- logical replication

# All that is replicated: sequences are not.
# shellcheck disable=SC2317 # called by wait_for
replicated() { at "$1" --file="$REPO/tests/lib/snapshot.sql" | grep -v '_seq|\|\.job_turn|'; }
# shellcheck disable=SC2317 # called by wait_for
is_replicated() { [ "$(replicated "$primary")" = "$(replicated "$TEST/operations-subscriber")" ]; }

subscriber=$TEST/operations-subscriber
cluster_remove "$subscriber"
cluster_create "$subscriber" "$pg_config" 'fsync = off'
cluster_start "$subscriber"
sql -c 'CREATE PUBLICATION memory_profile FOR TABLES IN SCHEMA memory_profile'
(cluster_use "$subscriber" postgres && test_database "$DATABASE")
at "$subscriber" -c "CREATE SUBSCRIPTION memory_profile
  CONNECTION 'host=$PGHOST port=$PGPORT user=$PGUSER dbname=$DATABASE' PUBLICATION memory_profile" >/dev/null
check 'a subscriber gets every row' wait_for 60 is_replicated
sql -c "SELECT memory_profile.memory_add('user_123', 'Sarah sails a boat named Petrel')" \
  -c "SELECT memory_profile.profile_patch('user_123', '[{\"field_key\": \"name\", \"value\": \"Sara\", \"confidence\": 1}]')" \
  -c "SELECT memory_profile.profile_erase('user_456')" -c "SELECT memory_profile.project_configure('{\"profile_limit\": 7}')" >/dev/null
check 'and every change' wait_for 60 is_replicated
same 'it finds the same' 'Sarah sails a boat named Petrel' "$(at "$subscriber" -c \
  "SELECT memory FROM memory_profile.memory_search('user_123', 'Has she got a boat?', max_results => 1)")"
same 'its index is sound' '' "$(at "$subscriber" -c \
  "SELECT memory_profile.scoped_vector_check('memory_profile.memory_embedding_nearest', true)")"
at "$subscriber" -c 'DROP SUBSCRIPTION memory_profile' >/dev/null 2>&1
sql -At -c "SELECT format('SELECT setval(%L, %s, %L);', format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL)
  FROM pg_sequences WHERE schemaname = 'memory_profile'" | at "$subscriber" >/dev/null
same 'once it has the sequences, it takes over' t "$(at "$subscriber" \
  -c "SELECT memory_profile.memory_add('user_123', 'Sarah was switched over') <> ''")"
cluster_stop "$subscriber"

# ------------------------------------------------------------------------------------------------ physical copies

from_backup "$TEST/operations-standby" "primary_conninfo = 'host=$PGHOST port=$PGPORT user=$PGUSER'"
as_server touch "$TEST/operations-standby/data/standby.signal"
from_backup "$TEST/operations-moment" "restore_command = 'cp $TEST/operations-archive/%f %p'" "recovery_target_action = 'promote'"
as_server touch "$TEST/operations-moment/data/recovery.signal"
cluster_start "$TEST/operations-standby"

learn_villages 6 300
moment=$(sql -Atc 'SELECT now()')
sql -c "SELECT memory_profile.profile_erase('user_123')" -c 'SELECT pg_switch_wal()' >/dev/null
check 'a standby follows while jobs run' answers_at 60 "$TEST/operations-standby" f "SELECT memory_profile.subject_exists('user_123')"
same 'what only reads runs there' t "$(at "$TEST/operations-standby" -c "SELECT memory_profile.profile_export('traveller_1') IS NOT NULL
  AND memory_profile.profile_context('traveller_1', 'Which village?') IS NOT NULL AND memory_profile.profile_summary('traveller_1') IS NOT NULL
  AND (SELECT count(*) > 0 FROM memory_profile.job_status()) AND (SELECT count(*) > 0 FROM memory_profile.embeddings_status())")"
cluster_stop "$primary" immediate
at "$TEST/operations-standby" -c 'SELECT pg_promote()' >/dev/null
check 'promoted, it goes on with the jobs' answers_at 120 "$TEST/operations-standby" 0 "$OPEN_JOBS"
same 'and everything was learned once' '300|300|1' "$(at "$TEST/operations-standby" -c "$VILLAGES")"

printf "recovery_target_time = '%s'\n" "$moment" | as_server tee -a "$TEST/operations-moment/data/postgresql.auto.conf" >/dev/null
cluster_start "$TEST/operations-moment"
check 'a recovery ends at its moment' answers_at 60 "$TEST/operations-moment" f 'SELECT pg_is_in_recovery()'
same 'before the erasure' t "$(at "$TEST/operations-moment" -c "SELECT memory_profile.subject_exists('user_123')")"
check 'and goes on with the jobs of that time' answers_at 120 "$TEST/operations-moment" 0 "$OPEN_JOBS"
same 'all of which were queued' '300|300|1' "$(at "$TEST/operations-moment" -c "$VILLAGES")"
finish
