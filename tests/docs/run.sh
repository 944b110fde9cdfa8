#!/usr/bin/env bash
# Runs every SQL block of the documentation, and the requests of the README's first screen: what they show is what
# happens. See blocks.py for the notation.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

CLUSTER=$TEST/docs
test_cluster docs "$(test_pg_config "$(main_major)")"

# A page has a database of its own.
check_page() {
  test_database docs
  (cd "$REPO" && python3 -B tests/docs/blocks.py "$1")
}

# The shell blocks of a page that send requests, without the line that reads the environment of `make run`.
requests() {
  awk '/^```sh$/ { block = ""; inside = 1; next }
       /^```$/ { if (inside && block ~ /curl .*\$BASE_URL/) printf "%s", block; inside = 0 }
       inside && !/^\. \.local\/env/ { block = block $0 "\n" }' "$REPO/$1"
}

check_requests() {
  local commands
  commands=$(requests "$1")
  check "$1: there are requests" [ -n "$commands" ]
  check "$1: every request succeeds" bash -euc "curl() { command curl --silent --show-error --fail --output /dev/null \"\$@\"; }
$commands"
}

status=0
for page in "$REPO"/README.md "$REPO"/docs/*.md; do check_page "${page#"$REPO"/}" || status=1; done

sample_database "$DATABASE"
http_create_role
http_start "$CLUSTER/http"
BASE_URL=http://127.0.0.1:$(http_port "$CLUSTER/http")
API_KEY=$(sql -Atc "SELECT memory_profile.api_key_create(name => 'docs')")
export BASE_URL API_KEY
check_requests README.md
exit $((status + FAILURES > 0))
