# shellcheck shell=bash
# Distances side by side with pgvector: both extensions in one cluster, the same table, the same pages. The two types
# have the same bytes and the cast between them does nothing, so the two queries differ in the function they call alone.

# The whole table must fit a quarter of shared_buffers, or Postgres would read it through a small ring of buffers.
vector_shared_buffers() { echo $((128 + 4 * (BENCH_ROWS * 8 + 1023) / 1024)); }

vector_benchmarks() {
  local type dims rows operator
  sql -c 'CREATE SCHEMA pgvector' -c 'CREATE EXTENSION vector SCHEMA pgvector'
  sql --file="$REPO/benches/sql/distances.sql"
  heading "Distances beside pgvector $(sql -Atc "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), per row"
  printf '%-14s %7s %4s %9s %9s %9s %9s %9s %9s %9s %7s %11s\n' \
    '' '' '' '' 'call of' '' '' ours/ nothing/ without '' largest \
    type rows '' 'the scan' nothing ours pgvector pgvector pgvector both rounds difference
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
  local answer scan nothing ours theirs ratio least net rounds difference agrees
  sql -c "CALL bench.make_comparison('$1', '$4')"
  answer=$(sql -At --set seconds="$BENCH_SECONDS" --file="$REPO/benches/sql/compare.sql")
  IFS='|' read -r scan nothing ours theirs ratio least net rounds difference agrees <<<"$answer"
  printf '%-14s %7s %4s %6d ns %6d ns %6d ns %6d ns %9.2f %9.2f %9.2f %7d %11s\n' \
    "$1($2)" "$3" "$4" "$scan" "$nothing" "$ours" "$theirs" "$ratio" "$least" "$net" "$rounds" "${difference# }"
  [ "$agrees" = t ] || die "the two extensions do not agree on $4 of $1($2)"
}
