# shellcheck shell=bash
# Distances side by side with pgvector: both extensions in one cluster, the same table, the same pages. The two types
# have the same bytes and the cast between them does nothing, so the two queries differ in the function they call alone.

# The whole table must fit a quarter of shared_buffers, or Postgres would read it through a small ring of buffers.
vector_shared_buffers() { echo $((128 + 4 * (BENCH_ROWS * 8 + 1023) / 1024)); }

vector_benchmarks() {
  local type dims rows operator size
  sql -c 'CREATE SCHEMA pgvector' -c 'CREATE EXTENSION vector SCHEMA pgvector'
  sql --file="$REPO/benches/sql/distances.sql"
  heading "sum(embedding <=> query) over a table, beside pgvector $(sql -Atc "SELECT extversion FROM pg_extension WHERE extname = 'vector'")"
  for rows in 1000 "$BENCH_ROWS"; do
    for dims in 384 1536; do
      for type in vector halfvec; do
        sql -c "CALL bench.make_sample('$type', $dims, $rows)" -c 'VACUUM (FREEZE, ANALYZE) bench.sample'
        size=$(sql -Atc "SELECT pg_size_pretty(pg_table_size('bench.sample'))")
        say "$type($dims), $rows rows, $size; ns per row"
        for operator in '<=>' '<#>' '<->'; do compare_distances "$type" "$operator"; done
      done
    done
  done
}

compare_distances() {
  local type=$1 operator=$2 answer
  sql -c "CALL bench.make_comparison('$type', '$operator')"
  answer=$(sql -At --set seconds="$BENCH_SECONDS" --file="$REPO/benches/sql/compare.sql")
  printf '  %s\n' "$operator $answer"
  [[ $answer != *DIFFERENT* ]] || die "the two extensions do not agree on $operator of $type"
}
