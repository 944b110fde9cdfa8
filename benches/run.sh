#!/usr/bin/env bash
# Prints the benchmarks: benches/run.sh [sql | learning | embedder | vector | search | growth | kernels]…, all seven by default.
#
# docs/benchmarks.md says what they measure and how to read them. No time is judged here: the exit status tells whether
# everything ran, and whether what was compared gave the same results.
#
#   BENCH_SECONDS    how long each line of a table is measured
#   BENCH_MEMORIES   memories of the largest subject that is searched; the others have a twentieth and a two-hundredth
#   BENCH_JOBS       texts that are learned from
#   BENCH_ROWS       rows of the tables of vectors, 1,000 at least: larger than any cache

source "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/all.sh"
source "$REPO/benches/lib/setup.sh"
source "$REPO/benches/lib/sql.sh"
source "$REPO/benches/lib/learning.sh"
source "$REPO/benches/lib/vector.sh"
source "$REPO/benches/lib/search.sh"
source "$REPO/benches/lib/growth.sh"

BENCH_SECONDS=${BENCH_SECONDS:-3}
BENCH_MEMORIES=${BENCH_MEMORIES:-20000}
BENCH_ROWS=${BENCH_ROWS:-100000}

SECTIONS=(sql learning embedder vector search growth kernels)

section_sql() {
  bench_cluster sql "$(quietly bench_postgres)"
  sql_benchmarks
}

section_learning() {
  local pg_config
  pg_config=$(quietly bench_postgres)
  learning_benchmark 1 "$pg_config"
  learning_benchmark 2 "$pg_config"
}

section_embedder() {
  heading 'Embedding a text, by its length'
  cargo_example measure "$(quietly build_model)" "$BENCH_SECONDS"
}

section_vector() {
  local pg_config
  pg_config=$(quietly bench_postgres16)
  bench_cluster vector "$pg_config" "shared_buffers = $(vector_shared_buffers)MB" 'synchronize_seqscans = off' \
    'max_parallel_workers_per_gather = 0' 'jit = off' 'max_wal_size = 8GB'
  vector_benchmarks "$pg_config"
}

section_search() {
  bench_cluster search "$(quietly bench_postgres16)" "shared_buffers = $(vector_shared_buffers)MB" 'autovacuum = off' \
    'max_parallel_workers_per_gather = 0' 'jit = off' 'max_wal_size = 1GB'
  search_benchmarks
}

section_growth() {
  bench_cluster growth "$(quietly bench_postgres)" "shared_buffers = $((256 + BENCH_ROWS / 250))MB" \
    'max_parallel_workers_per_gather = 0' 'jit = off' 'max_wal_size = 1GB' 'maintenance_work_mem = 1GB'
  growth_benchmarks
}

section_kernels() {
  heading 'Kernels, without a database'
  cargo_example throughput --seconds "$(awk "BEGIN { print $BENCH_SECONDS / 30 }")" --large "$BENCH_ROWS"
}

# What has to be compiled is compiled before anything is measured.
prepare() {
  ensure_packages run
  case $1 in
    sql | learning | growth) quietly bench_postgres ;;
    embedder) quietly build_model && quietly cargo_build_example measure ;;
    vector | search) quietly bench_postgres16 ;;
    kernels) quietly cargo_build_example throughput ;;
    *) die "usage: benches/run.sh [${SECTIONS[*]}]" ;;
  esac >/dev/null
}

[ $# -gt 0 ] || set -- "${SECTIONS[@]}"
mkdir -p "$TEST"
: >"$BUILD_LOG"
describe_machine
for section in "$@"; do prepare "$section"; done
for section in "$@"; do
  "section_$section"
  end_test_clusters
done
