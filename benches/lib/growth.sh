# shellcheck shell=bash
# How the index of vectors grows: with the rows of one namespace, and with the number of namespaces. The rows are inserted
# into an index that is there, and vacuumed as autovacuum would. benches/growth_plot.py draws what this prints.

growth_benchmarks() {
  local rows
  sql --file="$REPO/benches/sql/sample.sql"
  sql -c "CALL bench.make_sample('vector', 384, $((BENCH_ROWS < 100000 ? BENCH_ROWS : 100000)))"
  sql --file="$REPO/benches/sql/growth.sql"
  heading 'One namespace, by its rows'
  growth_heading
  start_growing
  for ((rows = 100; rows <= BENCH_ROWS; rows *= 10)); do grow "$rows" 1; done
  heading "$((BENCH_ROWS / 10)) rows, by their namespaces"
  growth_heading
  for ((namespaces = 10; namespaces <= BENCH_ROWS / 10; namespaces *= 10)); do
    start_growing
    grow "$((BENCH_ROWS / 10))" "$namespaces"
  done
}

growth_heading() { printf '%10s %10s %8s %12s %10s %10s %8s\n' rows namespaces lists bytes/row p50 p95 recall; }

start_growing() {
  sql -c 'TRUNCATE bench.grown' -c 'DROP INDEX IF EXISTS bench.grown_e' \
    -c 'CREATE INDEX grown_e ON bench.grown USING scoped_vector (namespace, e memory_profile.scoped_vector_cosine_ops)'
}

# grow ROWS NAMESPACES
grow() {
  local lists bytes p50 p95 recall
  sql -c "CALL bench.grow($1, $2)" -c 'VACUUM ANALYZE bench.grown'
  IFS='|' read -r lists bytes <<<"$(sql -Atc "SELECT lists, round(bytes_per_row) FROM memory_profile.scoped_vector_stats('bench.grown_e')")"
  IFS='|' read -r p50 p95 recall <<<"$(sql -Atc "SELECT round(p50::numeric, 3), round(p95::numeric, 3), round(recall::numeric, 3) FROM bench.time_grown($2, $BENCH_SECONDS)")"
  printf '%10d %10d %8d %12d %7s ms %7s ms %8s\n' "$1" "$2" "$lists" "$bytes" "$p50" "$p95" "$recall"
}
