# shellcheck shell=bash
# Searches inside a tenant, side by side with pgvector: the rows of one table in one column, on which both extensions have
# an index. pgvector is asked without an index of vectors, which is exact, and with HNSW in its iterative mode.

search_benchmarks() {
  sql -c 'CREATE SCHEMA pgvector' -c 'CREATE EXTENSION vector SCHEMA pgvector'
  sql --file="$REPO/benches/sql/distances.sql" --file="$REPO/benches/sql/search.sql"
  heading "Searches beside pgvector $(sql -Atc "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), $BENCH_ROWS rows"
  sql -c "CALL bench.make_sample('vector', 384, $BENCH_ROWS)" -c "CALL bench.make_tenants($BENCH_ROWS)" \
    -c 'CREATE INDEX ON bench.item (tenant)' -c 'VACUUM (FREEZE, ANALYZE) bench.item'
  printf '%-22s %10s %10s\n' 'index' 'built in' size
  build_index ours 'USING scoped_vector (tenant, e memory_profile.scoped_vector_cosine_ops)'
  build_index hnsw 'USING hnsw ((e::pgvector.vector(384)) pgvector.vector_cosine_ops)'
  printf '\n%-22s %8s %-16s %10s %10s %8s\n' '' rows '' p50 p95 recall
  for size in 100 $((BENCH_ROWS / 100)) $((BENCH_ROWS / 5)); do
    for filter in '' 'AND kind = 3'; do
      compare_searches "$size" "$filter"
    done
  done
}

# build_index NAME DEFINITION
build_index() {
  local begin=$SECONDS
  PGOPTIONS="-c maintenance_work_mem=2GB" sql -c "CREATE INDEX item_$1 ON bench.item $2"
  printf '%-22s %8d s %7d MB\n' "$1" "$((SECONDS - begin))" \
    "$(sql -Atc "SELECT pg_relation_size('bench.item_$1') / 1000000")"
}

# compare_searches ROWS FILTER
compare_searches() {
  local theirs='SELECT id FROM bench.item WHERE tenant = $1 %s ORDER BY e::pgvector.vector(384) OPERATOR(pgvector.<=>) $2::pgvector.vector(384) LIMIT 10'
  time_search 'scoped_vector' "$1" "$2" 'SELECT id FROM bench.item WHERE tenant = $1 %s ORDER BY e <=> $2 LIMIT 10' ''
  time_search 'pgvector, exact' "$1" "$2" "$theirs" 'SET enable_indexscan = off'
  time_search 'pgvector, HNSW' "$1" "$2" "$theirs" \
    "LOAD 'vector'; SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 200; SET enable_sort = off; SET enable_seqscan = off"
}

# time_search LABEL ROWS FILTER QUERY SETTINGS
time_search() {
  local answer p50 p95 recall
  answer=$(sql -At --set q="$4" --set size="$2" --set filter="$3" --set seconds="$BENCH_SECONDS" --set settings="${5:-SET jit = off}" \
    <<<"SELECT round(p50::numeric, 3), round(p95::numeric, 3), round(recall::numeric, 3) FROM bench.time_search(:'q', :'size', :'filter', :'seconds', :'settings')")
  IFS='|' read -r p50 p95 recall <<<"$answer"
  printf '%-22s %8d %-16s %7s ms %7s ms %8s\n' "$1" "$2" "${3#AND }" "$p50" "$p95" "$recall"
}
