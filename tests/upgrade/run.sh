#!/usr/bin/env bash
# Installs every released version, upgrades it, and compares it with a fresh installation: the same objects, and the
# same data. tests/upgrade holds the install script of each release as it was released; it never changes afterwards.
# Besides, the present version goes away completely when it is dropped, and can be created again.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

HERE=$REPO/tests/upgrade
pg_config=$(test_pg_config "$(main_major)")
version=$(extension_version)

test_cluster upgrade "$pg_config"

# Every object of the extension, as its definition says.
objects() { sql --file="$HERE/objects.sql"; }

# What a database has that an empty one has not. The schema named in the control file is made for the extension without
# becoming a part of it, so it stays, but nothing in it.
leftovers() {
  sql -Atc "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'memory_profile\_%'" \
    -c "SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'memory_profile'::regnamespace" \
    -c "SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'memory_profile'::regnamespace" \
    -c "SELECT t.oid::regtype FROM pg_type t WHERE typnamespace = 'memory_profile'::regnamespace" \
    -c "SELECT evtname FROM pg_event_trigger"
}

test_database fresh
fresh_objects=$(objects)
same 'a fresh installation has objects' t "$([ "$(wc -l <<<"$fresh_objects")" -gt 50 ] && echo t)"

test_database dropped
sql --file="$REPO/docs/sample.sql" >/dev/null
sql -c 'DROP EXTENSION memory_profile CASCADE'
same 'nothing stays when it is dropped' '' "$(leftovers)"
sql -c 'CREATE EXTENSION memory_profile'
same 'it can be created again' "$fresh_objects" "$(objects)"

for released in "$HERE"/memory_profile--*.sql; do
  [ -e "$released" ] || continue
  old=${released##*--}
  old=${old%.sql}
  put "$released" "$("$pg_config" --sharedir)/extension" 644
  sql --dbname=template1 -c 'DROP DATABASE IF EXISTS upgraded WITH (FORCE)' -c 'CREATE DATABASE upgraded'
  export PGDATABASE=upgraded
  sql -c "CREATE EXTENSION memory_profile VERSION '$old'"
  sql --file="$REPO/docs/sample.sql" >/dev/null
  before=$(answers)
  check "$old: the upgrade to $version runs" sql -c "ALTER EXTENSION memory_profile UPDATE TO '$version'"
  same "$old: the objects are those of a fresh installation" "$fresh_objects" "$(objects)"
  same "$old: the answers are the same" "$before" "$(answers)"
done
finish
