#!/usr/bin/env bash
# A new major version of PostgreSQL by pg_upgrade: every row, answer and index is there afterwards.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

old=$TEST/pg_upgrade-16
new=$TEST/pg_upgrade-18

# What indexes of a user's own find, and their statistics.
found() {
  sql -At <<'SQL'
SET search_path = public, memory_profile;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT array_agg(id) FROM (SELECT id FROM item WHERE tenant = 3 ORDER BY e <=> array_fill(0.1, array[24])::vector LIMIT 20) r;
SELECT array_agg(id) FROM (SELECT id FROM item ORDER BY e <-> array_fill(0.1, array[24])::vector LIMIT 20) r;
SELECT i, s.* FROM unnest('{item_tenant, item_listed}'::regclass[]) i, scoped_vector_stats(i) s;
SQL
}

test_cluster pg_upgrade-16 "$(test_pg_config 16)"
sample_database "$DATABASE"
sql <<'SQL'
SET search_path = public, memory_profile;
SET seed = 0.5;
CREATE TABLE item AS
SELECT i AS id, i % 7 AS tenant, array(SELECT random() - 0.5 + i * 0 FROM generate_series(1, 24))::real[]::vector(24) AS e
FROM generate_series(1, 5000) i;
CREATE INDEX item_tenant ON item USING scoped_vector (tenant, e scoped_vector_cosine_ops);
CREATE INDEX item_listed ON item USING scoped_vector (e scoped_vector_l2_ops) WITH (lists_from = 2000);
SQL
expected=$(snapshot && answers && found)
cluster_stop "$old"
# Since version 18 clusters have checksums from the beginning.
as_server "$(<"$old/bindir")/pg_checksums" --enable --pgdata="$old/data" >/dev/null

cluster_remove "$new"
cluster_create "$new" "$(test_pg_config 18)" 'fsync = off'
make_socket_dir "$new"
make_server_dir "$new/log"
# It writes beside itself, and its servers listen in the directory that it is given.
# shellcheck disable=SC2317 # called by check
upgrade() {
  local bin
  bin=$(<"$new/bindir")
  as_server env --unset=PGHOST --unset=PGPORT --unset=PGUSER --unset=PGDATABASE --chdir="$new/log" "$bin/pg_upgrade" \
    --old-bindir="$(<"$old/bindir")" --new-bindir="$bin" --old-datadir="$old/data" --new-datadir="$new/data" \
    --username="$SUPERUSER" --socketdir="$(socket_dir "$new")" >"$new/upgrade.log" 2>&1 || { tail -n 30 "$new/upgrade.log" && false; }
}

check 'pg_upgrade gets through' upgrade
cluster_start "$new"
cluster_use "$new" "$DATABASE"
same 'every row, answer and index is the same' "$expected" "$(snapshot && answers && found)"
check 'the indexes are sound' sql -At -o /dev/null -c "SELECT memory_profile.scoped_vector_check(i, true)
  FROM unnest('{item_tenant, item_listed, memory_profile.memory_embedding_nearest}'::regclass[]) i"
same 'a new memory finds its place' 'Sarah has a dog named Biscuit' \
  "$(sql -At -c "SELECT memory_profile.memory_add('user_123', 'Sarah has a dog named Biscuit') <> ''" \
    -c "SELECT memory FROM memory_profile.memory_search('user_123', 'Which pet has she?', max_results => 1)" | tail -n 1)"
sql -c 'DELETE FROM item WHERE id % 3 = 0' -c 'VACUUM item'
same 'VACUUM goes on with the indexes' 3334 "$(sql -Atc "SELECT rows FROM memory_profile.scoped_vector_stats('item_listed')")"
finish
