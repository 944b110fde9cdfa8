#!/usr/bin/env bash
# The machine fails in the middle of things: what was committed is there again, what was not is gone. A standby that
# replays the same log answers the same, and without writing.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

pg_config=$(test_pg_config "$(main_major)")
primary=$TEST/crash-primary
standby=$TEST/crash-standby

test_cluster crash-primary "$pg_config" 'fsync = on' 'wal_level = replica' 'max_wal_senders = 4'
sample_database "$DATABASE"
make_part team

# Writes in a transaction that stays open until the server goes away.
leave_open() {
  sql -c BEGIN \
    -c "SELECT memory_profile.profile_patch('user_123', '[{\"field_key\": \"name\", \"value\": \"Nobody\", \"confidence\": 1}]')" \
    -c "SELECT memory_profile.memory_add('user_789', 'This was never committed')" \
    -c 'CHECKPOINT' -c 'SELECT pg_sleep(600)'
}

# shellcheck disable=SC2317 # called by wait_for
is_open() { [ "$(sql -Atc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")" = 1 ]; }

expected_answers=$(answers)
expected_part=$(part_answers team)
expected_memories=$(sql -Atc 'SELECT count(*), md5(string_agg(m::text, chr(10) ORDER BY id)) FROM memory_profile.memory m')
leave_open >/dev/null 2>&1 &
check 'a transaction is under way' wait_for 20 is_open

cluster_stop "$primary" immediate
cluster_start "$primary"
check 'the server went through recovery' grep -q 'automatic recovery in progress' "$primary/log/postgres.log"
same 'every answer is the same after the crash' "$expected_answers" "$(answers)"
same 'searches of a part find the same after the crash' "$expected_part" "$(part_answers team)"
same 'the digests are right after the crash' '' "$(digest_faults)"
same 'every memory is the same after the crash' "$expected_memories" \
  "$(sql -Atc 'SELECT count(*), md5(string_agg(m::text, chr(10) ORDER BY id)) FROM memory_profile.memory m')"
same 'what was not committed is gone' f "$(sql -Atc "SELECT memory_profile.subject_exists('user_789')")"
same 'writing goes on' Sara "$(sql -At \
  -c "SELECT memory_profile.profile_patch('user_123', '[{\"field_key\": \"name\", \"value\": \"Sara\", \"confidence\": 1}]')" \
  -c "SELECT memory_profile.profile_get('user_123') ->> 'name'" | tail -n 1)"

# What every way to search finds, in its order.
found() {
  sql -At <<'SQL'
SELECT mode, rerank, rewrite_query, count(s.id), array_agg(coalesce(s.memory, s.chunk))
FROM unnest('{memories, documents, hybrid}'::text[]) mode, unnest('{false, true}'::boolean[]) rerank, unnest('{false, true}'::boolean[]) rewrite_query,
  LATERAL memory_profile.memory_search('user_123', 'why did billing break?', 0, search_mode => mode, rerank => rerank, rewrite_query => rewrite_query) s
GROUP BY mode, rerank, rewrite_query
ORDER BY mode, rerank, rewrite_query
SQL
}

# shellcheck disable=SC2317 # called by wait_for
has_caught_up() { [ "$(sql -Atc "SELECT pg_last_wal_replay_lsn() >= '$1'")" = t ]; }

start_standby "$standby" "$primary"
sql -c "SELECT memory_profile.memory_add('user_123', 'Sarah now also looks after the standby')" \
  -c "SELECT memory_profile.document_add('user_123', 'Billing broke on Monday. The invoices went out twice.', title => 'Incident')" \
  -c 'CALL memory_profile.run_jobs()' >/dev/null
expected_answers=$(answers)
expected_found=$(found)
sql -c "SELECT count(memory_profile.memory_forget('team', id, 'over')) FROM memory_profile.memory_search('team', 'who lost a canoe?', 0, max_results => 60)" >/dev/null
expected_part=$(part_answers team)
same 'there are memories and passages to be found' 12 "$(wc -l <<<"$expected_found")"
position=$(sql -Atc 'SELECT pg_current_wal_lsn()')
cluster_use "$standby"
check 'the standby catches up' wait_for 30 has_caught_up "$position"
same 'it is a standby' t "$(sql -Atc 'SELECT pg_is_in_recovery()')"
same 'the standby gives the same answers' "$expected_answers" "$(answers)"
same 'the standby finds the same, in every mode' "$expected_found" "$(found)"
same 'the standby finds the same in a part' "$expected_part" "$(part_answers team)"
finish
