# shellcheck shell=bash
# Learning from the job queue: texts are accepted in one transaction, and background workers extract memories from them and
# give them vectors. The unit is the encoder alone, over the very texts of those memories, in as many sessions as there are
# workers, so that what is left is the cost of everything else.

# Jobs of one run, each with a text of this many statements, spread over subjects.
LEARNING_JOBS=${BENCH_JOBS:-600}
LEARNING_STATEMENTS=4
LEARNING_SUBJECTS=100

# learning_benchmark WORKERS PG_CONFIG
learning_benchmark() {
  local workers=$1 seconds encoder memories before after
  bench_cluster learning "$2" "shared_preload_libraries = 'memory_profile'" "memory_profile.worker_databases = 'bench_learning'" \
    "memory_profile.workers_per_database = $workers" "memory_profile.worker_naptime = '10ms'"
  heading "Learning with $workers worker(s)"
  # What a process does for the first time, it does slower.
  learn_from 40 warm
  learn_from "$LEARNING_JOBS" measured
  memories=$(sql -Atc "SELECT count(*) FROM memory_profile.memory m JOIN memory_profile.subject s USING (subject_key)
    WHERE s.external_id LIKE 'measured%'")
  seconds=$(sql -Atc "SELECT extract(epoch FROM max(finished_at) - min(started_at))
    FROM memory_profile.job JOIN memory_profile.subject USING (subject_key) WHERE external_id LIKE 'measured%'")
  [ "$memories" = $((LEARNING_JOBS * LEARNING_STATEMENTS)) ] || die "not every statement became a memory: $memories"
  before=$(encoder_in_sessions "$workers")
  after=$(encoder_in_sessions "$workers")
  encoder=$(awk "BEGIN { print ($before + $after) / 2 }")
  awk -v jobs="$LEARNING_JOBS" -v memories="$memories" -v seconds="$seconds" -v encoder="$encoder" 'BEGIN {
    printf "%-38s %8.0f per second\n", "jobs", jobs / seconds
    printf "%-38s %8.0f per second\n", "memories", memories / seconds
    printf "%-38s %8.0f per second\n", "the encoder alone, the same texts", memories / encoder
    printf "%-38s %8.0f %%\n", "share of the encoder", 100 * encoder / seconds
  }'
}

# Accepts so many texts about subjects of a name, and waits until they are learned from.
learn_from() {
  sql --set jobs="$1" --set name="$2" --set statements=$LEARNING_STATEMENTS --set subjects=$LEARNING_SUBJECTS <<'SQL' >/dev/null
SELECT count(memory_profile.learn(:'name' || i % :subjects, (
  SELECT string_agg(format('I have been to the %s in the village number %s with my old friends on a %s afternoon.',
    ('{theatre,market,harbour,library,castle,museum,garden,station}'::text[])[1 + s], i, ('{rainy,sunny,windy,quiet}'::text[])[1 + (i + s) % 4]), ' ')
  FROM generate_series(1, :statements) s)))
FROM generate_series(1, :jobs) i;
SQL
  wait_for 600 learning_is_done || die "the workers did not get through"
}

# shellcheck disable=SC2317 # called by wait_for
learning_is_done() { [ "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE status IN ('queued', 'running')")" = 0 ]; }

# The seconds that so many sessions take to encode what was learned, each its part: those of the slowest.
encoder_in_sessions() {
  local i
  for ((i = 0; i < $1; i++)); do
    sql -At --set sessions="$1" --set i="$i" <<'SQL' &
SELECT count(code) FROM memory_profile._encode('What is done for the first time is slower') \g /dev/null
SELECT clock_timestamp() AS begin \gset
SELECT count(e.code) FROM memory_profile.memory m JOIN memory_profile.subject s USING (subject_key), memory_profile._encode(m.content) e
WHERE s.external_id LIKE 'measured%' AND abs(hashtext(m.id)) % :sessions = :i \g /dev/null
SELECT extract(epoch FROM clock_timestamp() - :'begin');
SQL
  done | sort -n | tail -n 1
}
