#!/usr/bin/env bash
# Vectors from a remote embedding model, against an endpoint that fails in every way there is.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

KEY=sk-test-5ecre7-$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
CLUSTER=$TEST/embeddings
ENDPOINT=$TEST/embeddings-endpoint
MODEL=vendor/test-model:v1

# ------------------------------------------------------------------------------------------------ the endpoint

# A figure about the requests with a text that has this word: requests WORD EXPRESSION, over r, a list of them
requests() { python3 -c '
import json, sys
r = [line for line in map(json.loads, open(sys.argv[1])) if any(sys.argv[2] in text for text in line["texts"])]
print(eval(sys.argv[3]))' "$ENDPOINT/requests" "$1" "$2"; }

count_asked() { requests "$1" 'len(r)'; }

# ------------------------------------------------------------------------------------------------------ the texts

remember() { sql -At --set subject="$1" --set text="$2" <<<"SELECT memory_profile.memory_add(:'subject', :'text') IS NOT NULL;" >/dev/null; }

# How many current memories of a subject have a vector of the remote model.
vectors() {
  sql -At --set subject="$1" --set model="$MODEL" <<'SQL'
SELECT count(*) FROM memory_profile.memory_embedding e
JOIN memory_profile.memory m ON m.subject_key = e.subject_key AND m.id = e.memory_id
WHERE e.subject_key = memory_profile.subject_key(:'subject') AND m.superseded_at IS NULL
  AND e.model_id = (SELECT id FROM memory_profile.embedding_model WHERE name = :'model');
SQL
}

# shellcheck disable=SC2317 # called by wait_for
vectors_are() { [ "$(vectors "$1")" = "$2" ]; }

# A column of the last job that embeds the texts of a subject: job SUBJECT COLUMN
job() { sql -At --set subject="$1" <<<"SELECT $2 FROM memory_profile.jobs(:'subject') WHERE kind = 'embed' ORDER BY created_at DESC LIMIT 1;"; }

# shellcheck disable=SC2317 # called by wait_for
job_is() { [ "$(job "$1" status)" = "$2" ]; }

settles() { check "$1: the job is $2" wait_for "${3:-20}" job_is "$1" "$2"; }

# Changes a setting, and waits until everybody has seen it: configure SETTING VALUE
configure() {
  sql -c "ALTER SYSTEM SET memory_profile.$1 = '$2'" -c 'SELECT pg_reload_conf()' >/dev/null
  wait_for 5 setting_is "$1" "$2"
  sleep 0.5
}

# shellcheck disable=SC2317 # called by wait_for
setting_is() { [ "$(sql -Atc "SELECT setting FROM pg_file_settings WHERE name = 'memory_profile.$1' AND applied ORDER BY seqno DESC LIMIT 1")" = "$2" ]; }

embeddings_status() { sql -Atc "SELECT $1 FROM memory_profile.embeddings_status()"; }

# shellcheck disable=SC2317 # called by wait_for
is_paused() { [ "$(embeddings_status 'paused_until > now()')" = t ]; }

# shellcheck disable=SC2317 # called by wait_for
is_asking() { [ "$(embeddings_status asking)" -gt 0 ]; }

# shellcheck disable=SC2317 # called by wait_for
job_says() { [[ $(job "$1" error) == *"$2"* ]]; }

# shellcheck disable=SC2317 # called by wait_for
question_says() { sql -c "SELECT memory FROM memory_profile.memory_search('$1', '$2', 0)" 2>&1 | grep -q "$3"; }

# The best memory for a question by its vector or without: answer SUBJECT QUESTION [EMBEDDING]
answer() {
  sql -At --set subject="$1" --set q="$2" --set embedding="${3:-}" \
    <<<"SELECT memory FROM memory_profile.memory_search(:'subject', :'q', 0.3, embedding => nullif(:'embedding', '')::real[]) LIMIT 1;"
}

# ------------------------------------------------------------------------------------------------------- the tests

test_texts_get_vectors() {
  remember ann 'Ann walks her puppy at dawn'
  remember ann 'Ann flies a jet'
  check 'memories get vectors' wait_for 20 vectors_are ann 2
  settles ann 'done'
  same 'the model is registered' "$MODEL|16|t" "$(sql -Atc "SELECT name, dimension, sha256 IS NULL FROM memory_profile.embedding_model")"
  same 'and in use' "$MODEL|16|t|0|0|0" "$(embeddings_status 'model, dimension, remote, waiting, asking, refused')"
  same 'vectors have length one, codes a bit for each dimension, and there are no tokens' '1.000|6|0' "$(sql -Atc "
    SELECT DISTINCT round(memory_profile.vector_norm(embedding::memory_profile.vector)::numeric, 3), octet_length(code), octet_length(tokens)
    FROM memory_profile.memory_embedding")"
  same 'the job says what it did, and at what cost' "$MODEL|t" \
    "$(job ann "result ->> 'model', (result ->> 'tokens')::integer > 0 AND (result ->> 'memories')::integer > 0")"
  same 'what was asked is forgotten' 0 "$(sql -Atc 'SELECT count(*) FROM memory_profile.job_answer')"
}

# A question is one vector more. Who has it gives it; otherwise the search is one by words.
test_questions() {
  local dog
  dog=$(python3 -c 'print("{" + ",".join(["3"] + ["0.01"] * 15) + "}")')
  same 'by words alone another word finds nothing' '' "$(answer ann 'hound')"
  same 'with its vector it does' 'Ann walks her puppy at dawn' "$(answer ann 'hound' "$dog")"
  same 'a vector type is taken as well' 'Ann walks her puppy at dawn' "$(sql -Atc "SELECT memory FROM memory_profile.memory_search('ann', 'hound', 0.3,
    embedding => '$(tr '{}' '[]' <<<"$dog")'::memory_profile.vector) LIMIT 1")"
  same 'and by profile_context' t "$(sql -Atc "SELECT memory_profile.profile_context('ann', 'hound', embedding => '$dog') LIKE '%On the question%'")"
  same 'words still find' 'Ann flies a jet' "$(answer ann 'Who flies?')"
  same 'late interaction is silent' t "$(sql -Atc "SELECT bool_and((s.score #>> '{contributions,tokens}') IS NOT NULL) FROM
    memory_profile.memory_search('ann', 'hound', 0, embedding => '$dog') s")"
  check 'a vector of another dimension is refused' grep -q 'has 3 dimensions, not 16' \
    <(sql -c "SELECT memory_profile.memory_search('ann', 'x', embedding => '{1,2,3}')" 2>&1)
  check 'and one that is zero' grep -q 'is zero, or holds what is no number' \
    <(sql -c "SELECT memory_profile.memory_search('ann', 'x', embedding => array_fill(0::real, array[16]))" 2>&1)
  check 'or no number' grep -q 'is zero, or holds what is no number' \
    <(sql -c "SELECT memory_profile.memory_search('ann', 'x', embedding => array_fill('NaN'::real, array[16]))" 2>&1)
  same 'no session has asked' 0 "$(count_asked hound)"
}

test_questions_asked_by_the_session() {
  configure embeddings_query_timeout 10s
  same 'a session asks where it may' 'Ann walks her puppy at dawn' "$(answer ann 'hound')"
  same 'once for one question' 1 "$(sql -At >/dev/null <<'SQL'
SELECT count(*) FROM memory_profile.memory_search('ann', 'physician', 0);
SELECT count(*) FROM memory_profile.memory_search('ann', 'physician', 0, search_mode => 'hybrid');
SQL
  count_asked physician)"
  configure embeddings_query_timeout 1s
  check 'it waits no longer than it should' grep -q 'searching by words alone' \
    <(timeout 15 psql -X -c "SELECT memory FROM memory_profile.memory_search('ann', 'Who flies? #slowafter20')" 2>&1)
  check 'says why' grep -q 'could not be asked: no answer in time' \
    <(psql -X -c "SELECT memory FROM memory_profile.memory_search('ann', 'Who flies? #slowafter5')" 2>&1)
  same 'finds by words then' 'Ann flies a jet' "$(sql -Atc "SELECT memory FROM memory_profile.memory_search('ann', 'Who flies? #500') LIMIT 1" 2>/dev/null)"
  same 'and leaves the endpoint alone for a while' 1 "$(psql -X >/dev/null 2>&1 <<'SQL'
SELECT memory FROM memory_profile.memory_search('ann', 'One failure #500');
SELECT memory FROM memory_profile.memory_search('ann', 'One failure #500 and no other');
SQL
  count_asked 'One failure')"
  configure embeddings_query_timeout 60s
  local begin=$SECONDS
  check 'a search can be cancelled while it waits' grep -q 'canceling statement' \
    <(PGOPTIONS='-c statement_timeout=700' sql -c "SELECT memory FROM memory_profile.memory_search('ann', 'It hangs #slowafter40')" 2>&1)
  check 'at once' [ $((SECONDS - begin)) -le 20 ]
  configure embeddings_query_timeout 0
}

test_batches() {
  sql -Atc "SELECT count(*) FROM memory_profile.memories_add('bulk',
    (SELECT jsonb_agg(jsonb_build_object('content', 'Bulk fact number ' || n)) FROM generate_series(1, 100) n))" >/dev/null
  check 'many memories get vectors' wait_for 30 vectors_are bulk 100
  settles bulk 'done'
  same 'in requests of no more texts than are allowed' 8 "$(requests 'Bulk fact' 'max(len(x["texts"]) for x in r)')"
  same 'each text once' 100 "$(requests 'Bulk fact' 'sum(len(x["texts"]) for x in r)')"
  sql -At >/dev/null <<'SQL'
SELECT memory_profile.memory_add('sharer-' || n, 'Sharer ' || n || ' shares a request') FROM generate_series(1, 16) n;
SQL
  local number
  for number in 1 8 16; do settles "sharer-$number" 'done'; done
  check 'several subjects share a request' [ "$(count_asked 'shares a request')" -le 6 ]
  same 'each gets its own vector' t "$(sql -Atc "SELECT count(*) = 16 FROM memory_profile.memory_embedding e JOIN memory_profile.memory m
    ON m.subject_key = e.subject_key AND m.id = e.memory_id WHERE m.content LIKE 'Sharer %'")"
  sql -c "SELECT memory_profile.document_add('reader', (SELECT string_agg('Paragraph ' || n || ' tells of a hound. ' || repeat('word ', 150), E'\n\n')
    FROM generate_series(1, 12) n), task_type => 'superrag')" >/dev/null
  check 'a document is done when its passages have vectors' wait_for 30 document_is_done reader
  same 'all of them' t "$(sql -Atc "SELECT count(*) > 3 AND count(*) = (SELECT count(*) FROM memory_profile.chunk) FROM memory_profile.chunk_embedding")"
}

# shellcheck disable=SC2317 # called by wait_for
document_is_done() {
  [ "$(sql -Atc "SELECT string_agg(DISTINCT status, ',') FROM memory_profile.document WHERE subject_key = memory_profile.subject_key('$1')")" = 'done' ]
}

test_passing_failures() {
  local kind
  for kind in 500x1 resetx1 truncatedx1 htmlx1 countx1 orderx1 nanx1 zerox1 slowx1after4; do
    remember "passing-$kind" "A passing failure #$kind"
    check "#$kind: has a vector in the end" wait_for 20 vectors_are "passing-$kind" 1
  done
  remember encoded 'In base64, please #base'
  remember unnumbered 'Without numbers, please #bare'
  check 'base64 is read' wait_for 20 vectors_are encoded 1
  check 'so is an answer without numbers' wait_for 20 vectors_are unnumbered 1
}

test_slow() {
  remember snail 'This one is slow. #slowafter2'
  check 'it is under way' wait_for 10 is_asking
  sleep 1
  same 'no transaction is open meanwhile' 0 \
    "$(sql -Atc "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'memory_profile models'
                 AND xact_start < now() - interval '500 ms'")"
  same 'and the subject can be written' t "$(sql -Atc "SET lock_timeout = '1s'; SELECT memory_profile.memory_add('snail', 'Snails are slow') IS NOT NULL")"
  check 'what was written meanwhile gets its vector as well' wait_for 20 vectors_are snail 2
}

test_overload() {
  remember patient 'Too many requests #429x1after3'
  check 'the endpoint is left alone' wait_for 10 is_paused
  same 'the reason can be read' 'the endpoint of the embedding model answered 429' "$(embeddings_status error)"
  check 'and it goes on' wait_for 20 vectors_are patient 1
  settles patient 'done'
  check 'after as long as it asked' python3 -c '
import json, sys
requests = [json.loads(line) for line in open(sys.argv[1])]
at = [r["at"] for r in requests if r["status"] == 429]
sys.exit(not (len(at) == 1 and min(r["at"] for r in requests if r["at"] > at[0]) >= at[0] + 3))' "$ENDPOINT/requests"
  same 'it is forgotten then' '0|' "$(embeddings_status 'failures, paused_until')"
}

# A text that the endpoint will not take keeps nobody else from a vector.
test_refused() {
  sql -Atc "SELECT count(*) FROM memory_profile.memories_add('choosy',
    (SELECT jsonb_agg(jsonb_build_object('content', CASE n WHEN 20 THEN 'It abhors this #400' ELSE 'It takes number ' || n END))
     FROM generate_series(1, 40) n))" >/dev/null
  check 'all the others get vectors' wait_for 30 vectors_are choosy 39
  settles choosy 'done'
  same 'the job says how many it would not take' 1 "$(job choosy "result ->> 'refused'")"
  same 'and so does the status' 1 "$(embeddings_status refused)"
  local asked
  asked=$(count_asked '#400')
  remember choosy 'One more for the choosy one'
  check 'another one gets its vector' wait_for 20 vectors_are choosy 40
  settles choosy 'done'
  same 'without asking about the refused one again' "$asked" "$(count_asked '#400')"
  same 'it is found by its words' 'It abhors this #400' "$(answer choosy 'abhors')"
  same 'embeddings_refresh has it asked again' 1 "$(sql -Atc 'SELECT memory_profile.embeddings_refresh()')"
  settles choosy 'done'
  check 'which it was' [ "$(count_asked '#400')" -gt "$asked" ]
}

test_poison() {
  sql -At >/dev/null <<'SQL'
BEGIN;
SELECT memory_profile.memory_add('poison', 'Nobody can embed this #500') IS NOT NULL;
SELECT memory_profile.memory_add('poison', 'Wholesome number ' || n) IS NOT NULL FROM generate_series(1, 10) n;
UPDATE memory_profile.job SET max_attempts = 3 WHERE kind = 'embed' AND status = 'queued';
COMMIT;
SQL
  remember bystander 'A bystander'
  check 'others go on' wait_for 20 vectors_are bystander 1
  check 'the others of its subject get vectors' wait_for 60 vectors_are poison 10
  check 'the job ends' wait_for 60 poison_ended
  same 'the text is noted, with why' 'the endpoint of the embedding model answered 500' "$(sql -Atc "SELECT r.reason FROM memory_profile.embedding_refusal r
    JOIN memory_profile.memory m ON m.subject_key = r.subject_key AND m.id = r.text_id WHERE m.content LIKE 'Nobody%'")"
  sql -At >/dev/null <<'SQL'
BEGIN;
SELECT memory_profile.memory_add('alone', 'Nobody can embed it either #500x2') IS NOT NULL;
UPDATE memory_profile.job SET max_attempts = 2 WHERE kind = 'embed' AND status = 'queued';
COMMIT;
SQL
  settles alone failed 60
  same 'a job with nothing else fails, and says why' 'the endpoint of the embedding model answered 500|2' "$(job alone 'error, attempts')"
  same 'it can be tried again' t "$(sql -Atc "SELECT memory_profile.job_retry('alone', id) FROM memory_profile.jobs('alone') WHERE kind = 'embed'")"
  check 'and is embedded then' wait_for 20 vectors_are alone 1
}

# shellcheck disable=SC2317 # called by wait_for
poison_ended() { [[ $(job poison status) =~ ^(done|failed)$ ]]; }

test_wrong_setup() {
  remember short 'Vectors come short #shortx1'
  check 'a wrong dimension is not the fault of the text' wait_for 10 job_says short \
    'the answer has vectors of 15 dimensions, and the model is set up with 16'
  same 'the job waits' queued "$(job short status)"
  sql -c 'DELETE FROM memory_profile.model_endpoint'
  settles short 'done'
  configure embeddings_key_file "$ENDPOINT/none"
  remember keyless 'Without a key'
  check 'without a key nothing is asked, and the job says why' wait_for 10 job_says keyless \
    'the key file of the embedding model cannot be used: entity not found'
  same 'nothing was sent' 0 "$(count_asked 'Without a key')"
  configure embeddings_key_file "$ENDPOINT/key"
  sql -c 'DELETE FROM memory_profile.model_endpoint'
  settles keyless 'done'
  configure embeddings_dimensions 32
  check 'another dimension is refused' grep -q 'the dimension of embedding model "vendor/test-model:v1" has changed' \
    <(sql -c "SELECT memory_profile.memory_add('short', 'Another one')" 2>&1)
  configure embeddings_dimensions 16
}

# --------------------------------------------------------------------------------------------- who may, and may not

test_rights() {
  sql -c "CREATE ROLE app LOGIN; GRANT memory_profile_user TO app; SELECT memory_profile.project_bind('default', 'app')" >/dev/null
  PGUSER=app remember user 'An ordinary user writes of a plane'
  check 'what an ordinary user writes gets its vector' wait_for 20 vectors_are user 1
  local setting
  for setting in embeddings_url embeddings_model embeddings_key_file ca_file; do
    check "it cannot see memory_profile.$setting" grep -q 'must be superuser\|permission denied' \
      <(PGUSER=app sql -c "SELECT memory_profile.current_project(); SHOW memory_profile.$setting" 2>&1)
    check "nobody sets memory_profile.$setting in a session" grep -q 'cannot be changed now' \
      <(sql -c "SELECT memory_profile.current_project(); SET memory_profile.$setting = 'x'" 2>&1)
  done
  same 'the key is not in the log of the server' 0 "$(grep -c "$KEY" "$CLUSTER/log/postgres.log" || true)"
  same 'nor in the database' 0 "$(pg_dump "$DATABASE" | grep -c "$KEY" || true)"
}

test_sessions() {
  test_database without_worker
  sql -Atc "SELECT count(*) FROM memory_profile.memories_add('session', '[{\"content\": \"In a session with a gateau\"}, {\"content\": \"And another\"}]')" >/dev/null
  sql -c 'CALL memory_profile.run_jobs()'
  same 'run_jobs() asks where it may, and is done' 'done|2' "$(job session status)|$(vectors session)"
  sql -c "SELECT memory_profile.learn('session', 'My name is Grace. I own a hound.')" >/dev/null
  sql -c 'CALL memory_profile.run_jobs()'
  same 'and embeds what its jobs have learned' t "$(sql -Atc "SELECT count(*) > 2 AND count(*) = (SELECT count(*) FROM memory_profile.memory)
    FROM memory_profile.memory_embedding")"
  export PGDATABASE=$DATABASE
}

# Vectors of several models, also of other dimensions, live side by side.
test_change_of_model() {
  sql -c "ALTER DATABASE $DATABASE SET memory_profile.embedding_model = 'all-MiniLM-L6-v2'"
  restart
  same 'the former vectors stay' 2 "$(vectors ann)"
  same 'texts can be searched at once' 'Ann flies a jet' "$(answer ann 'Who flies a jet?')"
  check 'and get vectors of the local model' [ "$(sql -Atc 'SELECT memory_profile.embeddings_refresh()')" -gt 10 ]
  check 'by the job queue' wait_for 60 no_jobs
  same 'with their tokens' t "$(sql -Atc "SELECT bool_and(octet_length(tokens) > 0) FROM memory_profile.memory_embedding e
    JOIN memory_profile.embedding_model m ON m.id = e.model_id WHERE m.name = 'all-MiniLM-L6-v2'")"
  remember ann 'Ann eats gateau on Sundays'
  sql -c "ALTER DATABASE $DATABASE RESET memory_profile.embedding_model"
  restart
  same 'back to the remote one, what is missing is noticed' 't' "$(sql -Atc 'SELECT memory_profile.embeddings_refresh() >= 1')"
  check 'and made up for' wait_for 30 vectors_are ann 3
  check 'in all jobs' wait_for 30 no_jobs
  same 'the signatures have the codes of the current model' t "$(sql -Atc "SELECT NOT bool_or(memory_profile._signatures_lack(s.signatures,
    (SELECT id FROM memory_profile.embedding_model WHERE name = '$MODEL')))
    FROM memory_profile.memory_signature s WHERE s.part = 0 AND s.subject_key = memory_profile.subject_key('ann')")"
}

restart() {
  cluster_stop "$CLUSTER" fast
  cluster_start "$CLUSTER"
}

# shellcheck disable=SC2317 # called by wait_for
no_jobs() { [ "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE status IN ('queued', 'running')")" = 0 ]; }

test_shutdown_and_kill() {
  remember interrupted 'The server stops meanwhile #slowx1after15'
  wait_for 10 is_asking
  local begin=$SECONDS
  cluster_stop "$CLUSTER" fast
  check 'a shutdown does not wait for the model' [ $((SECONDS - begin)) -le 12 ]
  cluster_start "$CLUSTER"
  check 'what was under way is asked again' wait_for 30 vectors_are interrupted 1
  remember killed 'The process is killed #slowx1after3'
  wait_for 10 is_asking
  as_server kill -KILL "$(sql -Atc "SELECT pid FROM pg_stat_activity WHERE backend_type = 'memory_profile models'")"
  wait_for 20 is_up
  check 'a killed process loses nothing' wait_for 40 vectors_are killed 1
}

# shellcheck disable=SC2317 # called by wait_for
is_up() { sql -c 'SELECT 1' >/dev/null 2>&1; }

test_turned_off() {
  stop_endpoint "$ENDPOINT"
  sql -c "SELECT memory_profile.document_add('stranded', 'A document about a plane.', task_type => 'superrag')" >/dev/null
  check 'an endpoint that is gone is left alone' wait_for 10 is_paused
  check 'its jobs wait, and say why' wait_for 5 job_says stranded 'could not be asked: the connection failed'
  same 'the document as well' embedding "$(sql -Atc "SELECT status FROM memory_profile.document WHERE subject_key = memory_profile.subject_key('stranded')")"
  configure embeddings_url ''
  settles stranded 'done'
  check 'without an endpoint it is done without vectors' wait_for 5 document_is_done stranded
  remember stranded 'Written without any model'
  same 'and everything goes on by words' 'Written without any model' "$(answer stranded 'without any model' 2>/dev/null)"
}

# ------------------------------------------------------------------------------------------------------------------

start_endpoint "$ENDPOINT" "$REPO/tests/embeddings/endpoint.py" "$KEY"
trap 'stop_endpoint "$ENDPOINT"; end_test_clusters' EXIT
test_cluster embeddings "$(test_pg_config "$(main_major)")" "shared_preload_libraries = 'memory_profile'" \
  "memory_profile.worker_databases = '$DATABASE'" "memory_profile.worker_naptime = '50ms'" "memory_profile.embedding_model = '$MODEL'" \
  "memory_profile.embeddings_url = 'http://127.0.0.1:$(<"$ENDPOINT/port")/v1/'" "memory_profile.embeddings_model = '$MODEL'" \
  "memory_profile.embeddings_key_file = '$ENDPOINT/key'" "memory_profile.embeddings_dimensions = 16" \
  "memory_profile.embeddings_timeout = '2500ms'" "memory_profile.embeddings_batch = 8" "log_statement = 'all'" "log_min_messages = 'debug1'"
trap 'stop_endpoint "$ENDPOINT"; end_test_clusters' EXIT
test_database "$DATABASE"

test_texts_get_vectors
test_questions
test_questions_asked_by_the_session
test_batches
test_passing_failures
test_slow
test_overload
test_refused
test_poison
test_wrong_setup
test_rights
test_sessions
test_change_of_model
test_shutdown_and_kill
test_turned_off
finish
