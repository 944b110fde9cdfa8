#!/usr/bin/env bash
# Many sessions at once on one subject: whatever their order, the rules hold, and nobody waits for ever.
# `soak` as an argument repeats it for SOAK_SECONDS.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

SESSIONS=16
SOAK_SECONDS=${SOAK_SECONDS:-600}

test_cluster concurrency "$(test_pg_config "$(main_major)")" "statement_timeout = '60s'"
test_database "$DATABASE"

# The answer to a question about :'subject'.
ask() { sql -At --set subject="$SUBJECT" <<<"$1"; }

# Runs statements in many sessions at once, :i being the number of the session; fails when one of them fails.
in_parallel() {
  local pids=() i status=0
  for ((i = 1; i <= SESSIONS; i++)); do
    sql -At --set subject="$SUBJECT" --set i="$i" <<<"$1" >/dev/null &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || status=1; done
  return "$status"
}

PATCH="SELECT memory_profile.profile_patch(:'subject', jsonb_build_array(jsonb_build_object(
  'field_key', 'name', 'value', 'Name ' || :i, 'confidence', 0.5 + :i / 100.0)));"
MANUAL="SELECT memory_profile.profile_patch(:'subject', jsonb_build_array(jsonb_build_object(
  'field_key', 'name', 'value', 'By Hand', 'confidence', 1)));"
LEARN="SELECT memory_profile.learn(:'subject', 'My name is Learned ' || chr(64 + :i) || '.');"
WORK="CALL memory_profile.run_jobs();"

NAME="SELECT memory_profile.profile_get(:'subject') ->> 'name'"
VERSIONS="FROM memory_profile.memory WHERE subject_key = memory_profile.subject_key(:'subject') AND field_key = 'name'"
JOBS="FROM memory_profile.jobs(:'subject')"

# The versions of the field are one chain: one is current, and each other one names its successor.
check_chain() {
  same "$1: one version is current" 1 "$(ask "SELECT count(*) $VERSIONS AND superseded_at IS NULL")"
  same "$1: every other names its successor" 0 \
    "$(ask "SELECT count(*) $VERSIONS AND superseded_at IS NOT NULL AND superseded_by IS NULL")"
  same "$1: no number is given twice" t "$(ask "SELECT count(DISTINCT version) = count(*) $VERSIONS")"
}

# A subject that nobody has seen, one field, and as many values as sessions: the surest stays.
test_patches() {
  SUBJECT=patches-$1
  check 'PATCHes of one field all end' in_parallel "$PATCH"
  same 'the surest value stays' "Name $SESSIONS" "$(ask "$NAME")"
  check_chain 'PATCHes'
}

# One edit by hand among them beats them all, whether it came first, last or in between.
test_manual_edit() {
  SUBJECT=manual-$1
  in_parallel "SELECT pg_sleep(random() / 20); $PATCH" &
  local others=$!
  ask "SELECT pg_sleep(0.02); $MANUAL" >/dev/null
  check 'PATCHes beside an edit by hand all end' wait "$others"
  same 'the edit by hand stays' 'By Hand' "$(ask "$NAME")"
  check_chain 'edit by hand'
}

# What was learned never replaces what was edited by hand, though several workers run while it is edited.
test_worker() {
  SUBJECT=worker-$1
  check 'text is accepted from many sessions' in_parallel "$LEARN"
  in_parallel "$WORK" &
  local workers=$!
  check 'PATCHes beside the workers all end' in_parallel "$MANUAL"
  check 'the workers all end' wait "$workers"
  ask "$WORK"
  same 'an edit by hand beats the worker' 'By Hand' "$(ask "$NAME")"
  check_chain 'worker'
  same 'every job ran' "$SESSIONS" "$(ask "SELECT count(*) $JOBS WHERE status = 'done'")"
  same 'no job ran twice' 1 "$(ask "SELECT max(attempts) $JOBS")"
}

# The same text from everybody is one memory, and a subject that everybody creates is one subject.
test_same_memory() {
  SUBJECT=same-$1
  check 'the same memory is added by all' in_parallel "SELECT memory_profile.memory_add(:'subject', 'Likes tea');"
  same 'it is one memory, seen by all' "1|$SESSIONS" "$(ask "SELECT count(*), max(seen_count) FROM memory_profile.memory
    WHERE subject_key = memory_profile.subject_key(:'subject') AND superseded_at IS NULL")"
  same 'of one subject' 1 "$(ask "SELECT count(*) FROM memory_profile.subject WHERE external_id = :'subject'")"
}

# An erasure beside writers: they may come after it, but leave no half of what was before.
test_erase() {
  SUBJECT=erase-$1
  in_parallel "$PATCH" &
  local writers=$!
  ask "SELECT memory_profile.profile_erase(:'subject')" >/dev/null
  check 'writers beside an erasure all end' wait "$writers"
  ask "SELECT memory_profile.profile_erase(:'subject')" >/dev/null
  same 'nothing of an erased subject stays' 0 \
    "$(ask "SELECT count(*) FROM memory_profile.memory WHERE subject_key = memory_profile.subject_key(:'subject')")"
}

# Searches of a part of a subject while it is written to: its digests stay true, and what is new is found at once.
test_digests() {
  SUBJECT=digests-$1
  make_part "$SUBJECT"
  check 'writers and searches of a subject with digests all end' in_parallel "SET memory_profile.search_texts = 500;
    SELECT memory_profile.memory_add(:'subject', 'Session ' || :i || ' hid the key under flowerpot ' || :i);
    SELECT memory_profile._memories_digest(memory_profile._subject_for_write(:'subject'), blocks => 2, least_blocks => 0);
    SELECT memory_profile.memory_update(:'subject', (SELECT id FROM memory_profile.memory WHERE subject_key = memory_profile.subject_key(:'subject')
      AND signature_block = 5 * :i AND superseded_at IS NULL ORDER BY id LIMIT 1), 'Session ' || :i || ' hid the map under carpet ' || :i);
    SELECT count(memory_profile.memory_forget(:'subject', id, 'over')) FROM memory_profile.memory
      WHERE subject_key = memory_profile.subject_key(:'subject') AND signature_block BETWEEN 5 * :i AND 5 * :i + 1
        AND superseded_at IS NULL AND forgotten_at IS NULL;
    SELECT 1 / count(*) FROM memory_profile.memory_search(:'subject', 'What did session ' || :i || ' hide under flowerpot ' || :i || '?', 0, max_results => 3)
      WHERE memory LIKE '% flowerpot ' || :i;
    SELECT 1 / count(*) FROM memory_profile.memory_search(:'subject', 'What did session ' || :i || ' hide under carpet ' || :i || '?', 0, max_results => 3)
      WHERE memory LIKE '% carpet ' || :i;"
  same 'the digests are right' '' "$(digest_faults)"
  same 'digests were made anew' t "$(ask "SELECT count(*) FILTER (WHERE texts < 16) >= $SESSIONS AND bool_and(coded = texts) FROM memory_profile.memory_digest
    WHERE subject_key = memory_profile.subject_key(:'subject')")"
  same 'a part is searched' t "$(ask "SET memory_profile.search_texts = 500;
    SELECT memory_profile.memory_search_explain(:'subject', 'who lost a canoe?') ->> 'part_of' IS NOT NULL" | tail -n 1)"
}

# Patches, extractions, forgets, deletes, and where asked for revisions and undoings, in random order from all sessions;
# afterwards every promise of the rule book holds: test_soup ROUND KINDS
test_soup() {
  SUBJECT=soup-$1-$2
  sql -c 'CREATE TABLE IF NOT EXISTS done (subject text, what text)'
  local pids=() i status=0
  for ((i = 1; i <= SESSIONS; i++)); do
    sql -At --set subject="$SUBJECT" --set i="$i" --set kinds="$2" --file="$REPO/tests/concurrency/consolidation.sql" >/dev/null &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || status=1; done
  check "writes of $2 kinds all end" [ "$status" = 0 ]
  ask "$WORK"
  same "the rules hold after writes of $2 kinds" '' "$(sql --set subject="$SUBJECT" --file="$REPO/tests/concurrency/invariants.sql")"
  same "writes of $2 kinds led to decisions of most kinds" t "$(ask "SELECT count(DISTINCT decision) >= 5
    FROM memory_profile.memory_decisions(:'subject', max_results => 100000)")"
}

round() {
  test_patches "$1"
  test_manual_edit "$1"
  test_worker "$1"
  test_same_memory "$1"
  test_erase "$1"
  test_digests "$1"
  test_soup "$1" 10
  test_soup "$1" 12
}

round 1
if [ "${1:-}" = soak ]; then
  for ((number = 2; SECONDS < SOAK_SECONDS; number++)); do round "$number"; done
fi
finish
