# shellcheck shell=bash
# Distances side by side with pgvector: both extensions in one cluster, the same table, the same pages. The two types
# have the same bytes and the cast between them does nothing, so the two queries differ in the function they call alone.

# The whole table must fit a quarter of shared_buffers, or Postgres would read it through a small ring of buffers.
vector_shared_buffers() { echo $((128 + 4 * (BENCH_ROWS * 8 + 1023) / 1024)); }

# The least that a distance can cost, as a library of functions for the cluster; prints its path. The bench alone loads it.
build_floor() {
  local pg_config=$1 library=$TEST/floor.so
  cc -O3 -shared -fPIC -I"$("$pg_config" --includedir-server)" -o "$library.new" "$REPO/benches/floor.c"
  mv "$library.new" "$library"
  echo "$library"
}

vector_benchmarks() {
  local pg_config=$1 type dims rows operator floor
  floor=$(quietly build_floor "$pg_config")
  sql -c 'CREATE SCHEMA pgvector' -c 'CREATE EXTENSION vector SCHEMA pgvector'
  sql --set floor="$floor" --file="$REPO/benches/sql/sample.sql" --file="$REPO/benches/sql/distances.sql"
  heading "Distances beside pgvector $(sql -Atc "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), per row"
  printf '%-14s %7s %4s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %7s %11s\n' \
    '' '' '' '' 'call of' '' '' '' ours/ nothing/ reading/ without ours/ '' largest \
    type rows '' 'the scan' nothing reading ours pgvector pgvector pgvector pgvector both reading rounds difference
  for rows in 1000 "$BENCH_ROWS"; do
    for dims in 384 1536; do
      for type in vector halfvec; do
        sql -c "CALL bench.make_sample('$type', $dims, $rows)" -c 'VACUUM (FREEZE, ANALYZE) bench.sample'
        for operator in '<=>' '<#>' '<->'; do compare_distances "$type" "$dims" "$rows" "$operator"; done
      done
    done
  done
}

# compare_distances TYPE DIMENSIONS ROWS OPERATOR
compare_distances() {
  local answer scan nothing reading ours theirs ratio least floor net above rounds difference agrees
  sql -c "CALL bench.make_comparison('$1', '$4')"
  answer=$(sql -At --set seconds="$BENCH_SECONDS" --file="$REPO/benches/sql/compare.sql")
  IFS='|' read -r scan nothing reading ours theirs ratio least floor net above rounds difference agrees <<<"$answer"
  printf '%-14s %7s %4s %6d ns %6d ns %6d ns %6d ns %6d ns %9.2f %9.2f %9.2f %9.2f %9.2f %7d %11s\n' \
    "$1($2)" "$3" "$4" "$scan" "$nothing" "$reading" "$ours" "$theirs" "$ratio" "$least" "$floor" "$net" "$above" "$rounds" "${difference# }"
  [ "$agrees" = t ] || die "the two extensions do not agree on $4 of $1($2)"
}
