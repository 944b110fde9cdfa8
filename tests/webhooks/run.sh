#!/usr/bin/env bash
# Webhooks and notifications end to end: the background worker sends to a receiver that answers, fails, hangs or is not there.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

test_cluster webhooks "$(test_pg_config "$(main_major)")" "shared_preload_libraries = 'memory_profile'" \
  "memory_profile.worker_databases = '$DATABASE'" "memory_profile.worker_naptime = '20ms'" 'memory_profile.webhook_private_networks = on' \
  "memory_profile.webhook_timeout = '3s'" "memory_profile.embedding_model = ''"
test_database "$DATABASE"

timeout 600 python3 -B -m unittest discover -v -s "$REPO/tests/webhooks"
