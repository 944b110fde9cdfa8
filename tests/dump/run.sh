#!/usr/bin/env bash
# Dumps a database and restores it into a fresh cluster, of the same version and of another: nothing may be lost.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

main=$(main_major)
dump=$TEST/memory_profile.dump

test_cluster dump-source "$(test_pg_config "$main")"
sample_database "$DATABASE"
same 'the sample is not empty' t "$(sql -Atc 'SELECT count(*) > 4 FROM memory_profile.memory')"
make_part team
source_snapshot=$(snapshot)
source_answers=$(answers)
source_part=$(part_answers team)
same 'searches of the large subject read a part' 4 "$(grep -c '|1[0-9]\{3\}|[0-9]\{3,4\}|' <<<"$source_part")"
pg_dump --format=custom --file="$dump" "$DATABASE"

# Reads the dump into a fresh cluster of a version, and looks whether everything is there and still works.
restore_into() {
  local major=$1
  test_cluster "dump-$major" "$(test_pg_config "$major")"
  sql -c "CREATE DATABASE $DATABASE"
  check "$major: pg_restore has no complaint" pg_restore --exit-on-error --dbname="$DATABASE" "$dump"
  export PGDATABASE=$DATABASE
  same "$major: every table and sequence is the same" "$source_snapshot" "$(snapshot)"
  same "$major: every answer is the same" "$source_answers" "$(answers)"
  same "$major: searches of a part find the same" "$source_part" "$(part_answers team)"
  same "$major: the digests are right" '' "$(digest_faults)"
  same "$major: a restored field can be superseded" Sara \
    "$(sql -At -c "SELECT memory_profile.profile_patch('user_123', '[{\"field_key\": \"name\", \"value\": \"Sara\", \"confidence\": 1}]')" \
      -c "SELECT memory_profile.profile_get('user_123') ->> 'name'" | tail -n 1)"
  same "$major: a new memory finds its place" 1 \
    "$(sql -At -c "SELECT memory_profile.memory_add('user_123', 'Sarah has a dog named Biscuit')" \
      -c "SELECT count(*) FROM memory_profile.memory_search('user_123', 'dog named Biscuit', max_results => 1)" | tail -n 1)"
  same "$major: the role of the HTTP stack may ask" t \
    "$(sql -Atc "SELECT has_function_privilege('memory_profile_http', 'memory_profile_http.request(bytea)', 'execute')")"
}

restore_into "$main"
if [ "$main" != 16 ] && [ -e "$TEST/pg_config.16" ]; then restore_into 16; fi
finish
