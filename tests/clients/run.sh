#!/usr/bin/env bash
# Clients that know pgvector's types use these by the same names, with their text and binary codecs.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

HERE=$REPO/tests/clients
CLIENTS=$LOCAL/pgvector-clients

# Installs the pinned clients, once for each state of their lock file.
install_clients() {
  local stamp
  stamp=$(sha256sum <"$HERE/requirements.txt")
  if [ "$(cat "$CLIENTS/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  rm -rf "$CLIENTS"
  python3 -m venv "$CLIENTS"
  "$CLIENTS/bin/pip" install --quiet --require-hashes --only-binary=:all: -r "$HERE/requirements.txt"
  echo "$stamp" >"$CLIENTS/stamp"
}

install_clients
test_cluster clients "$(test_pg_config "$(main_major)")"
test_database "$DATABASE"
"$CLIENTS/bin/python" -B -m unittest discover -v -s "$HERE"
