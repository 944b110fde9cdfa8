#!/usr/bin/env bash
# Measures what search finds in conversations: benches/retrieval/run.sh FILE, in either form of the LoCoMo data set.
#
# docs/benchmarks.md says what is measured and how to read it; retrieval.py, which variables change it. The data set is
# not part of this repository: its licence is for research.

source "$(dirname "${BASH_SOURCE[0]}")/../../tests/lib/all.sh"
source "$REPO/benches/lib/setup.sh"

HERE=$REPO/benches/retrieval
CLIENT=$LOCAL/retrieval
APPLICATION=bench_retrieval

# Installs the pinned client, once for each state of its lock file.
install_client() {
  local stamp
  stamp=$(sha256sum <"$HERE/requirements.txt")
  if [ "$(cat "$CLIENT/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  rm -rf "$CLIENT" && mkdir -p "$CLIENT"
  python3 -m venv "$CLIENT/python"
  "$CLIENT/python/bin/pip" install --quiet --require-hashes --only-binary=:all: -r "$HERE/requirements.txt" >&2
  echo "$stamp" >"$CLIENT/stamp"
}

[ -n "${1:-}" ] || die "usage: make bench-retrieval FILE=locomo10.json"
[ -r "$1" ] || die "$1 cannot be read"
FILE=$(realpath "$1")

mkdir -p "$TEST"
: >"$BUILD_LOG"
ensure_packages test
quietly install_client
describe_machine
bench_cluster retrieval "$(quietly bench_postgres)"
sql --set application=$APPLICATION <<'SQL'
CREATE ROLE :application LOGIN IN ROLE memory_profile_user;
SELECT memory_profile.project_bind('default', :'application') \g /dev/null
SQL
"$CLIENT/python/bin/python" -B "$HERE/retrieval.py" "$FILE" $APPLICATION
