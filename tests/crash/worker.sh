#!/usr/bin/env bash
# Whoever runs jobs is killed in the middle of them, again and again: a background worker, a session that calls run_jobs(),
# the whole server. Every job is done in the end, and what it taught is there exactly once. Before that, one worker alone is
# given a large document and a small text.
#
#   KILLS   how often something is killed

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

KILLS=${KILLS:-9}
SUBJECTS=8
JOBS_PER_ROUND=48

cluster=$TEST/crash-worker

test_cluster crash-worker "$(test_pg_config "$(main_major)")" "shared_preload_libraries = 'memory_profile'" \
  "memory_profile.worker_databases = '$DATABASE'" 'memory_profile.workers_per_database = 1' "memory_profile.worker_naptime = '10ms'"
test_database "$DATABASE"

number() { sql -Atc "SELECT count(*) FROM $1"; }

# A document of so many paragraphs, none of which is a fact, and which are others for each round: book PARAGRAPHS ROUND
book() {
  echo "(SELECT string_agg(format('In the year %s the river rose above the bridge of village number %s, and the mill stood still.', i, i % $2), repeat(chr(10), 2) ORDER BY i)
    FROM generate_series(1, $1) i)"
}

# Both at once, the large one first. A chunk was made when the transaction began that wrote it.
sql --single-transaction -c "SELECT memory_profile.document_add('subject_large', $(book 9000 7), 'book')" \
  -c "SELECT memory_profile.learn('subject_small', 'I live in the village by the river.')" >/dev/null
# shellcheck disable=SC2317 # called by wait_for
has_learned() { [ "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE status = 'done' AND kind <> 'embed'")" = 2 ]; }
check 'a large document and a small text are learned from' wait_for 120 has_learned
same 'the small one was done before any of the large one was written' t "$(sql -Atc "SELECT j.finished_at < (SELECT min(created_at) FROM memory_profile.chunk)
  FROM memory_profile.job j WHERE j.kind = 'learn'")"
same 'the large one is whole' "$(sql -Atc "SELECT count(*) FROM memory_profile._chunks($(book 9000 7), 'text')")" "$(number memory_profile.chunk)"
sql -c "DELETE FROM memory_profile.subject" -c "ALTER SYSTEM SET memory_profile.workers_per_database = 2"
cluster_stop "$cluster"
cluster_start "$cluster"

# Every job has a fact of its own, so that one that ran twice shows: a memory that was seen twice, or two of them. Each round
# has one text, too, that takes several runs, and a large document that is other than before.
queued=0
# send_jobs ROUND
send_jobs() {
  sql --single-transaction \
    -c "SELECT count(memory_profile.learn('subject_' || i % $SUBJECTS, 'I have been to the village number ' || $queued + i || '.'))
        FROM generate_series(1, $JOBS_PER_ROUND) i" \
    -c "SELECT memory_profile.document_add('subject_book', $(book 1500 "$1"), 'book', task_type => 'superrag')" \
    -c "SELECT memory_profile.learn('subject_long', string_agg('I have been to the village number ' || $queued + $JOBS_PER_ROUND + i || '.', ' '))
        FROM generate_series(1, 100) i" >/dev/null 2>&1
}

# Sends the jobs of a round. A connection that broke says nothing of its transaction, so it is looked whether they are there.
enqueue() {
  local expected=$(($1 * (JOBS_PER_ROUND + 1)))
  until send_jobs "$1"; do
    sleep 0.2
    if [ "$(number "memory_profile.job WHERE kind = 'learn'" 2>/dev/null || true)" = $expected ]; then break; fi
  done
  queued=$((queued + JOBS_PER_ROUND + 100))
}

# shellcheck disable=SC2317 # called by wait_for
is_up() { sql -c 'SELECT 1' >/dev/null 2>&1; }

# A server whose last processes are still ending refuses to start.
# shellcheck disable=SC2317 # called by wait_for
try_start() { (cluster_start "$cluster") 2>/dev/null; }

# The process id of one background worker.
worker() {
  sql -Atc "SELECT pid FROM pg_stat_activity WHERE backend_type = 'memory_profile jobs' AND datname = current_database() ORDER BY random() LIMIT 1"
}

kill_worker() {
  local pid
  pid=$(worker 2>/dev/null || true)
  if [ -n "$pid" ]; then kill -KILL "$pid"; fi
}

# The postmaster goes, and with it everything that it had started.
kill_server() { kill -KILL "$(head -n 1 "$cluster/data/postmaster.pid")"; }

# A session that runs jobs is ended, or just its client; the server goes on.
kill_session() {
  sql -c 'CALL memory_profile.run_jobs()' >/dev/null 2>&1 &
  local client=$!
  sleep "0.$((RANDOM % 20 + 5))"
  if [ $((RANDOM % 2)) -eq 0 ]; then
    sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL memory_profile.run_jobs%'" >/dev/null 2>&1 || true
  else
    kill -KILL "$client" 2>/dev/null || true
  fi
  wait "$client" 2>/dev/null || true
}

# shellcheck disable=SC2317 # called by wait_for
is_idle() { [ "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE status IN ('queued', 'running')" 2>/dev/null)" = 0 ]; }

for ((round = 1; round <= KILLS; round++)); do
  check "round $round: the server is up" wait_for 60 is_up
  enqueue "$round"
  sleep "0.$((RANDOM % 30 + 5))"
  case $((round % 3)) in
    0)
      kill_server
      check "round $round: the server starts again" wait_for 60 try_start
      ;;
    1) kill_worker ;;
    2) kill_session ;;
  esac
done

check 'the server is up in the end' wait_for 60 is_up
check 'the queue is worked off' wait_for 300 is_idle
same 'every job is done' "$((KILLS * (JOBS_PER_ROUND + 1)))" "$(number "memory_profile.job WHERE status = 'done' AND kind = 'learn'")"
same 'none has failed' 0 "$(number "memory_profile.job WHERE status = 'failed'")"
same 'every fact was learned' "$queued" "$(number "memory_profile.memory WHERE content LIKE 'User has been to the village number %'")"
same 'each of them once' "$queued" \
  "$(sql -Atc "SELECT count(DISTINCT content) FROM memory_profile.memory WHERE content LIKE 'User has been to the village number %' AND seen_count = 1")"
same 'each with one event' "$queued" "$(number "memory_profile.event WHERE type = 'memory.created'")"
same 'each with its vector' 0 "$(sql -Atc "SELECT count(*) FROM memory_profile.memory m WHERE NOT EXISTS
  (SELECT FROM memory_profile.memory_embedding e WHERE e.subject_key = m.subject_key AND e.memory_id = m.id)")"
same 'the large document is what it was last' t "$(sql -Atc "SELECT array_agg(c.content ORDER BY c.position) =
  (SELECT array_agg(d.content ORDER BY d.position) FROM memory_profile._chunks($(book 1500 "$KILLS"), 'text') d) FROM memory_profile.chunk c")"
same 'each of its chunks with its vector' 0 "$(sql -Atc "SELECT count(*) FROM memory_profile.chunk c WHERE NOT EXISTS
  (SELECT FROM memory_profile.chunk_embedding e WHERE e.subject_key = c.subject_key AND e.chunk_id = c.id)")"
same 'each of its chunks found once' "$(number memory_profile.chunk)" "$(sql -Atc "SELECT count(*) FROM memory_profile.chunk_signature s,
  unnest(memory_profile._signatures_lacking(s.signatures, 99::smallint)) id")"
same 'nobody still holds a job' 0 "$(number "memory_profile.job WHERE worker IS NOT NULL")"
say "jobs that were interrupted in the middle: $(sql -Atc 'SELECT sum(deaths) FROM memory_profile.job'), of $KILLS kills"
check 'jobs were interrupted in the middle' [ "$(sql -Atc 'SELECT sum(deaths) FROM memory_profile.job')" -gt 0 ]
finish
