# shellcheck shell=bash
# Searches inside a tenant, and of a whole table, side by side with pgvector: the rows of one table in one column, on
# which both extensions have indexes. pgvector is asked without an index of vectors, which is exact, with IVFFlat and with
# HNSW, both in their iterative modes. All are asked in turns, and each time in the ratio is a median of rounds.

SEARCH_ROUNDS=3

# What is compared: label | index for tenants | index for all rows | settings. Other indexes of vectors are hidden meanwhile.
ANN="SET enable_sort = off; SET enable_seqscan = off; LOAD 'vector'"
SEARCHERS=(
  "scoped_vector|ours|ours_whole|SET jit = off"
  "pgvector, exact|none||SET jit = off"
  "IVFFlat, 1 probe|ivfflat|ivfflat|$ANN; SET ivfflat.iterative_scan = relaxed_order; SET ivfflat.probes = 1"
  "IVFFlat, 3 probes|ivfflat|ivfflat|$ANN; SET ivfflat.iterative_scan = relaxed_order; SET ivfflat.probes = 3"
  "IVFFlat, 10 probes|ivfflat|ivfflat|$ANN; SET ivfflat.iterative_scan = relaxed_order; SET ivfflat.probes = 10"
  "HNSW, ef 100|hnsw|hnsw|$ANN; SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 100"
  "HNSW, ef 200|hnsw|hnsw|$ANN; SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 200"
)

search_benchmarks() {
  local size filter
  sql -c 'CREATE SCHEMA pgvector' -c 'CREATE EXTENSION vector SCHEMA pgvector'
  sql --file="$REPO/benches/sql/sample.sql" --file="$REPO/benches/sql/search.sql"
  heading "Searches beside pgvector $(sql -Atc "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), $BENCH_ROWS rows"
  sql -c "CALL bench.make_sample('vector', 384, $BENCH_ROWS)" -c "CALL bench.make_tenants($BENCH_ROWS)" \
    -c 'CREATE INDEX ON bench.item (tenant)' -c 'VACUUM (FREEZE, ANALYZE) bench.item'
  printf '%-22s %9s %9s %9s %14s\n' 'index' 'built in' 'CPU time' size 'rows inserted'
  printf '%-22s %9s %9s %9s %12s/s\n' '(B-tree only)' '' '' '' "$(insertion_rate)"
  build_index ours 'USING scoped_vector (tenant, e memory_profile.scoped_vector_cosine_ops)'
  build_index ours_whole 'USING scoped_vector (e memory_profile.scoped_vector_cosine_ops)'
  build_index ivfflat "USING ivfflat ((e::pgvector.vector(384)) pgvector.vector_cosine_ops) WITH (lists = $((BENCH_ROWS / 1000)))"
  build_index hnsw 'USING hnsw ((e::pgvector.vector(384)) pgvector.vector_cosine_ops)'
  sql -c 'ANALYZE bench.item'
  for size in 100 $((BENCH_ROWS / 100)) $((BENCH_ROWS / 5)) ''; do
    for filter in '' 'AND kind = 3'; do
      compare_searches "$size" "$filter"
    done
  done
}

# Processor seconds of all processes of the cluster that have ended.
cluster_cpu() {
  local postmaster fields
  postmaster=$(as_server head -n 1 "$TEST/search/data/postmaster.pid")
  wait_for 30 has_no_backend "$postmaster"
  read -r -a fields <<<"$(sed 's/.*) //' "/proc/$postmaster/stat")"
  awk -v ticks=$((fields[13] + fields[14])) -v second="$(getconf CLK_TCK)" 'BEGIN { print ticks / second }'
}

# shellcheck disable=SC2317 # called by wait_for
has_no_backend() { ! pgrep -P "$1" -f "^postgres: ($SUPERUSER |parallel worker)" >/dev/null; }

# Hides all indexes of vectors but one from searches and insertions.
show_index() {
  sql -c "UPDATE pg_index i SET indisready = relname = 'item_$1', indisvalid = relname = 'item_$1'
    FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = i.indexrelid AND indrelid = 'bench.item'::regclass AND amname <> 'btree'"
}

# build_index NAME DEFINITION
build_index() {
  local begin cpu
  cpu=$(cluster_cpu)
  begin=$(date +%s.%N)
  PGOPTIONS="-c maintenance_work_mem=2GB" sql -c "CREATE INDEX item_$1 ON bench.item $2"
  begin=$(awk -v begin="$begin" -v end="$(date +%s.%N)" 'BEGIN { printf "%.1f", end - begin }')
  cpu=$(awk -v begin="$cpu" -v end="$(cluster_cpu)" 'BEGIN { printf "%.1f", end - begin }')
  printf '%-22s %7s s %7s s %6d MB %12s/s\n' "${1/_/, }" "$begin" "$cpu" \
    "$(sql -Atc "SELECT pg_relation_size('bench.item_$1') / 1000000")" "$(insertion_rate)"
  # Afterwards, a vacuum would not reach it.
  sql -c 'VACUUM bench.item'
  show_index none
}

insertion_rate() { sql -Atc "CALL bench.insert($((BENCH_ROWS / 10)))" | awk '{ printf "%.0f", $1 }'; }

# compare_searches ROWS FILTER; all rows, without ROWS.
compare_searches() {
  local searcher label tenants whole index settings round answers=$TEST/answers
  printf '\n%s%s\n' "${1:-all}" " rows${2:+, a tenth of them (${2#AND })}"
  printf '%-22s %10s %10s %8s %8s\n' '' p50 p95 recall 'ratio'
  sql -c "CALL bench.make_questions(${1:-NULL}, '$2')"
  : >"$answers"
  for ((round = 0; round < SEARCH_ROUNDS; round++)); do
    for searcher in "${SEARCHERS[@]}"; do
      IFS='|' read -r label tenants whole settings <<<"$searcher"
      index=$whole
      if [ -n "$1" ]; then index=$tenants; fi
      if [ -n "$index" ]; then
        show_index "$index"
        echo "$label|$(time_search "$label" "$1" "$2" "$settings")" >>"$answers"
      fi
    done
  done
  report_searches <"$answers"
}

# time_search LABEL ROWS FILTER SETTINGS
time_search() {
  local order='e <=> q' condition='tenant = wanted'
  if [ "$1" != scoped_vector ]; then order='e::pgvector.vector(384) OPERATOR(pgvector.<=>) q::pgvector.vector(384)'; fi
  if [ -z "$2" ]; then condition='true'; fi
  sql -At -c "$4" -c "CALL bench.make_search('SELECT id FROM bench.item WHERE $condition $3 ORDER BY $order LIMIT 10')" \
    -c "SELECT p50, p95, recall FROM bench.ask(${2:-NULL}, '$3', $BENCH_SECONDS::double precision / $SEARCH_ROUNDS)"
}

# Prints the medians, and how much longer each takes than the fastest other that finds 99 % takes for ours.
report_searches() {
  awk -F'|' '
    function median(list, n,  i, j, t) {
      for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (list[j] + 0 < list[i] + 0) { t = list[i]; list[i] = list[j]; list[j] = t }
      return list[int((n + 1) / 2)]
    }
    !($1 in n) { labels[++count] = $1 }
    { n[$1]++; p50[$1, n[$1]] = $2; p95[$1, n[$1]] = $3; recall[$1] = $4 }
    END {
      for (i = 1; i <= count; i++) {
        label = labels[i]
        for (j = 1; j <= n[label]; j++) { a[j] = p50[label, j]; b[j] = p95[label, j] }
        m50[label] = median(a, n[label]); m95[label] = median(b, n[label])
        if (i > 1 && recall[label] >= 0.99 && (best == "" || m50[label] < m50[best])) best = label
      }
      for (i = 1; i <= count; i++) {
        label = labels[i]
        printf "%-22s %7.3f ms %7.3f ms %8.3f %8s\n", label, m50[label], m95[label], recall[label], i == 1 ? "" : sprintf("%.1f", m50[label] / m50[labels[1]])
      }
      if (best == "") print "no other found 99 %"
      else printf "%s is %.1f times as fast as %s, the fastest other with a recall of 0.99\n", labels[1], m50[best] / m50[labels[1]], best
    }'
}
