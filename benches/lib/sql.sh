# shellcheck shell=bash
# Reads and writes over SQL, as an application sees them: an ordinary role behind row security, one connection to a
# local socket, prepared statements. The statements of one table are run in turn on one connection, in random order, so
# that whatever else the machine does hits them alike; the first of a table is the unit: SELECT 1, or what a search
# cannot do without, the embedding of its question.

APPLICATION=bench_application
# The same without an encoder: memories are found and written by their words alone.
WORDS_ALONE=bench_words_alone

sql_benchmarks() {
  local small=$((BENCH_MEMORIES / 200)) medium=$((BENCH_MEMORIES / 20)) large=$BENCH_MEMORIES
  [ "$small" -gt 0 ] || die "BENCH_MEMORIES must be at least 200, of which the smallest subject has one"
  sql --set application=$APPLICATION --set words_alone=$WORDS_ALONE --file="$REPO/benches/sql/roles.sql"
  load_subjects "$small" "$medium" "$large"

  latencies $APPLICATION 'Reading profiles' \
    'SELECT 1' 'SELECT 1;' \
    'profile_get, 8 fields' "SELECT memory_profile.profile_get('user_' || :n);" \
    "profile_get, 'full'" "SELECT memory_profile.profile_get('user_' || :n, 'full');" \
    'profile_get, as of a moment' "SELECT memory_profile.profile_get('user_' || :n, 'simple', now() - interval '1 second');"
  latencies $APPLICATION 'Exporting' \
    'SELECT 1' 'SELECT 1;' \
    "profile_export, $small memories" "SELECT memory_profile.profile_export('subject_$small');" \
    "profile_export, $medium memories" "SELECT memory_profile.profile_export('subject_$medium');"
  latencies $APPLICATION 'Searching' "${EMBEDDING[@]}" "${SEARCHES[@]}"
  latencies $WORDS_ALONE 'Searching by words alone' 'SELECT 1' 'SELECT 1;' "${SEARCHES[@]}"
  latencies $APPLICATION 'Writing' "${WRITES[@]}"
  latencies $WORDS_ALONE 'Writing without vectors' "${WRITES[@]}"
}

# Sets EMBEDDING, SEARCHES and WRITES: the statements for the subjects that are loaded.
name_statements() {
  local question memories
  question="(SELECT q FROM bench.question WHERE n = :n)"
  EMBEDDING=('embedding the question alone' "SELECT memory_profile._embed_query($question);")
  SEARCHES=()
  for memories in "$@"; do
    SEARCHES+=("memory_search, $memories memories" "SELECT id, memory, similarity
      FROM memory_profile.memory_search('subject_$memories', $question);")
  done
  WRITES=('SELECT 1' 'SELECT 1;'
    'profile_patch, one field' "SELECT memory_profile.profile_patch('user_' || :n, jsonb_build_array(jsonb_build_object(
      'field_key', 'city', 'value', 'City ' || :value, 'confidence', 1.0)));"
    'memory_add, about 12 tokens' "SELECT memory_profile.memory_add('writer_' || :n, 'Has ordered the spare part with number ' || :value);")
}

# As many as :n chooses from.
QUESTIONS=100

# The seconds that the encoder takes for each of the first thousand texts, without anything else.
encoder_alone() {
  local begin
  begin=$(now)
  [ "$(PGUSER=$APPLICATION sql -Atc \
    'SELECT count(e.code) FROM generate_series(0, 999) n, memory_profile._encode(bench.memory(n)) e')" = 1000 ] ||
    die "there is no encoder"
  awk "BEGIN { print ($(now) - $begin) / 1000 }"
}

# Makes subjects with so many memories each, and says how fast that went. The encoder alone is measured before and
# after, since the machine may have other things to do.
load_subjects() {
  local memories total=0 before after begin written done
  heading 'Loading'
  PGUSER=$APPLICATION sql --set questions=$QUESTIONS --file="$REPO/benches/sql/profiles.sql" >/dev/null
  before=$(encoder_alone)
  begin=$(now)
  for memories in "$@"; do
    PGUSER=$APPLICATION sql --set memories="$memories" --file="$REPO/benches/sql/memories.sql" >/dev/null
    total=$((total + memories))
  done
  written=$(now)
  PGUSER=$APPLICATION sql -c 'CALL memory_profile.run_jobs()'
  done=$(now)
  after=$(encoder_alone)
  sql -c 'VACUUM ANALYZE'
  [ "$(sql -Atc "SELECT count(*) FROM memory_profile.memory_embedding WHERE memory_id IN
      (SELECT id FROM memory_profile.memory WHERE field_key IS NULL)")" = "$total" ] ||
    die "not every memory was given a vector"
  awk -v total="$total" -v encoder="$(awk "BEGIN { print ($before + $after) / 2 }")" \
    -v writing="$(awk "BEGIN { print ($written - $begin) / $total }")" -v embedding="$(awk "BEGIN { print ($done - $written) / $total }")" '
    function line(label, seconds) { printf "%-38s %8.0f per second %6.0f %% of the encoder\n", label, 1 / seconds, 100 * encoder / seconds }
    BEGIN {
      line("the encoder alone", encoder)
      line("memories_add, " total " memories in all", writing)
      line("what they need, from the job queue", embedding)
      line("both", writing + embedding)
    }'
  name_statements "$@"
  # An application that finds nothing is fast, and no measure of anything.
  for memories in "$@"; do
    [ "$(PGUSER=$APPLICATION sql -Atc "SELECT count(*) > 0 FROM bench.question,
        LATERAL memory_profile.memory_search('subject_$memories', q)")" = t ] || die "subject_$memories answers no question"
  done
}

now() { date +%s.%N; }

# What a statement may choose its subject and its text by. pgbench reads the clock anew after a \set and not otherwise: where
# the server answers before pgbench looks at its clock again, a script without one takes no time at all.
CHOICE='\set n random(1, 100)
\set value random(1, 1000000000)'

# Prints a table: latencies ROLE TITLE (LABEL STATEMENT)…; the first statement is the unit of the last column.
latencies() {
  local role=$1 dir=$TEST/scripts files=() labels=()
  heading "$2"
  shift 2
  rm -rf "$dir" && mkdir -p "$dir"
  while [ $# -gt 0 ]; do
    labels+=("$1")
    printf '%s\n' "$CHOICE" "$2" >"$dir/${#labels[@]}.sql"
    files+=(--file="$dir/${#labels[@]}.sql@1")
    shift 2
  done
  PGUSER=$role PGOPTIONS='-c client_min_messages=error' pgbench --no-vacuum --protocol=prepared --random-seed=1 \
    --time="$(awk "BEGIN { printf \"%d\", $BENCH_SECONDS * ${#labels[@]} + 0.999 }")" --log --log-prefix="$dir/log" "${files[@]}" >"$dir/out" 2>&1 ||
    die "pgbench failed" "$(tail -n 5 "$dir/out")"
  print_latencies "$dir"/log.* "${labels[@]}"
}

# A line of the log is: client, transaction, microseconds, script, time. The first tenth warms the caches up.
print_latencies() {
  local log=$1 labels
  shift
  labels=$(printf '%s\n' "$@")
  awk -v transactions="$(wc -l <"$log")" '$2 >= transactions / 10 { print $4, $3 }' "$log" | sort -k1,1n -k2,2n |
    LABELS=$labels awk '
      function percentile(p) { return times[int((count - 1) * p) + 1] / 1000 }
      function line(label) {
        if (count == 0) { printf "%-34s  not run once: raise BENCH_SECONDS\n", label; return }
        if (unit == 0) unit = percentile(0.5)
        printf "%-34s %10.3f ms %10.3f ms %11.2f %8d\n", label, percentile(0.5), percentile(0.95), percentile(0.5) / unit, count
      }
      BEGIN {
        split(ENVIRON["LABELS"], labels, "\n")
        printf "%-34s %13s %13s %11s %8s\n", "", "p50", "p95", "x the first", "runs"
      }
      $1 != script { if (NR > 1) line(labels[script + 1]); script = $1; count = 0 }
      { times[++count] = $2 }
      END { line(labels[script + 1]) }'
}
