# shellcheck shell=bash
# Learning from the job queue: texts are accepted in one transaction, and background workers extract memories from them and
# give them vectors. The unit is the encoder alone, over the very texts of those memories, in as many sessions as there are
# workers, so that what is left is the cost of everything else. Once by the clock, and once by the processor's time, which
# the neighbours of a shared machine disturb less.

# Jobs of one run, each with a text of this many statements, spread over subjects.
LEARNING_JOBS=${BENCH_JOBS:-600}
LEARNING_STATEMENTS=4
LEARNING_SUBJECTS=100

# learning_benchmark WORKERS PG_CONFIG
learning_benchmark() {
  local workers=$1 seconds cpu memories before after
  bench_cluster learning "$2" "shared_preload_libraries = 'memory_profile'" "memory_profile.worker_databases = 'bench_learning'" \
    "memory_profile.workers_per_database = $workers" "memory_profile.worker_naptime = '10ms'"
  heading "Learning with $workers worker(s)"
  # What a process does for the first time, it does slower.
  learn_from 40 warm
  before=$(cpu_of_workers)
  learn_from "$LEARNING_JOBS" measured
  cpu=$(($(cpu_of_workers) - before))
  memories=$(sql -Atc "SELECT count(*) FROM memory_profile.memory m JOIN memory_profile.subject s USING (subject_key)
    WHERE s.external_id LIKE 'measured%'")
  seconds=$(sql -Atc "SELECT extract(epoch FROM max(finished_at) - min(started_at))
    FROM memory_profile.job JOIN memory_profile.subject USING (subject_key) WHERE external_id LIKE 'measured%'")
  [ "$memories" = $((LEARNING_JOBS * LEARNING_STATEMENTS)) ] || die "not every statement became a memory: $memories"
  before=$(encoder_in_sessions "$workers")
  after=$(encoder_in_sessions "$workers")
  awk -v jobs="$LEARNING_JOBS" -v memories="$memories" -v seconds="$seconds" -v cpu="$cpu" -v ticks="$(getconf CLK_TCK)" \
    -v before="$before" -v after="$after" 'BEGIN {
    split(before " " after, encoder, " ")
    encoder_seconds = (encoder[1] + encoder[3]) / 2
    encoder_cpu = (encoder[2] + encoder[4]) / 2
    printf "%-38s %8.0f per second\n", "jobs", jobs / seconds
    printf "%-38s %8.0f per second\n", "memories", memories / seconds
    printf "%-38s %8.0f per second\n", "the encoder alone, the same texts", memories / encoder_seconds
    printf "%-38s %8.0f %%\n", "share of the encoder", 100 * encoder_seconds / seconds
    printf "%-38s %8.2f ms of the processor\n", "a memory", 1000 * cpu / ticks / memories
    printf "%-38s %8.2f ms of the processor\n", "the encoder alone", 1000 * encoder_cpu / ticks / memories
    printf "%-38s %8.0f %%\n", "share of the encoder", 100 * encoder_cpu / cpu
  }'
}

# The processor's time that the workers have used, in ticks of the clock.
cpu_of_workers() {
  local pid
  for pid in $(sql -Atc "SELECT pid FROM pg_stat_activity WHERE backend_type = 'memory_profile jobs'"); do
    cat "/proc/$pid/stat"
  done | awk '{ sub(/.*\) /, ""); ticks += $12 + $13 } END { print ticks }'
}

# Accepts so many texts about subjects of a name, and waits until they are learned from.
learn_from() {
  sql --set jobs="$1" --set name="$2" --set statements=$LEARNING_STATEMENTS --set subjects=$LEARNING_SUBJECTS <<'SQL' >/dev/null
SELECT count(memory_profile.learn(:'name' || i % :subjects, (
  SELECT string_agg(format('I have been to the %s in the village number %s with my old friends on a %s afternoon.',
    ('{theatre,market,harbour,library,castle,museum,garden,station}'::text[])[1 + s], i, ('{rainy,sunny,windy,quiet}'::text[])[1 + (i + s) % 4]), ' ')
  FROM generate_series(1, :statements) s)))
FROM generate_series(1, :jobs) i;
-- One session that looks now and then: to start one for each look would take a tenth of a processor from the workers.
SET statement_timeout = '600s';
DO $$
BEGIN
  WHILE EXISTS (SELECT FROM memory_profile.job WHERE status IN ('queued', 'running')) LOOP
    COMMIT;
    PERFORM pg_sleep(0.05);
  END LOOP;
END
$$;
SQL
}

# What it takes so many sessions to encode what was learned, each its part: the seconds of the slowest, and the ticks of the
# processor's time of all.
encoder_in_sessions() {
  local i
  for ((i = 0; i < $1; i++)); do
    sql -At -F ' ' --set sessions="$1" --set i="$i" <<'SQL' &
CREATE FUNCTION pg_temp.ticks() RETURNS bigint LANGUAGE sql
AS $$ SELECT stat[12]::bigint + stat[13]::bigint FROM string_to_array(split_part(pg_read_file('/proc/self/stat'), ') ', 2), ' ') stat $$;
SELECT count(code) FROM memory_profile._encode('What is done for the first time is slower') \g /dev/null
SELECT clock_timestamp() AS begin, pg_temp.ticks() AS ticks \gset
SELECT count(e.code) FROM memory_profile.memory m JOIN memory_profile.subject s USING (subject_key), memory_profile._encode(m.content) e
WHERE s.external_id LIKE 'measured%' AND abs(hashtext(m.id)) % :sessions = :i \g /dev/null
SELECT extract(epoch FROM clock_timestamp() - :'begin'), pg_temp.ticks() - :ticks;
SQL
  done | awk '{ if ($1 > seconds) seconds = $1; ticks += $2 } END { print seconds, ticks }'
}
