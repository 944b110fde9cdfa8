#!/usr/bin/env bash
# Learning with a language model, against an endpoint that fails in every way there is. The database of the worker is
# learned from by the worker; another one has no worker and is learned from by sessions that CALL run_jobs().

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

KEY=sk-test-5ecre7-$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
CLUSTER=$TEST/model
ENDPOINT=$TEST/model-endpoint

# ------------------------------------------------------------------------------------------------ the endpoint

# What the endpoint was asked about texts with this word, one line of JSON for each request: asked WORD
asked() { python3 -c '
import json, sys
lines = [line for line in open(sys.argv[1]) if sys.argv[2] in json.loads(line)["text"]]
sys.stdout.write("".join(lines))' "$ENDPOINT/requests" "$1"; }

count_asked() { asked "$1" | wc -l; }

# ----------------------------------------------------------------------------------------------------- the jobs

learn() { sql -At --set subject="$1" --set data="$2" <<<"SELECT memory_profile.learn(:'subject', :'data') IS NOT NULL;" >/dev/null; }

# A job that has failed after so many attempts: learn_with_attempts SUBJECT DATA ATTEMPTS
learn_with_attempts() {
  sql -At --set subject="$1" --set data="$2" --set attempts="$3" >/dev/null <<'SQL'
BEGIN;
SELECT memory_profile.learn(:'subject', :'data') AS id \gset
UPDATE memory_profile.job SET max_attempts = :attempts WHERE id = :'id';
COMMIT;
SQL
}

# A column of the last job of a subject that learns: job SUBJECT COLUMN
job() { sql -At --set subject="$1" <<<"SELECT $2 FROM memory_profile.jobs(:'subject') WHERE kind IN ('learn', 'document') ORDER BY created_at DESC LIMIT 1;"; }

# shellcheck disable=SC2317 # called by wait_for
job_is() { [ "$(job "$1" status)" = "$2" ]; }

# Waits until the last job of a subject has a status: settles SUBJECT STATUS [SECONDS]
settles() { check "$1: the job is $2" wait_for "${3:-20}" job_is "$1" "$2"; }

remembers() {
  sql -At --set subject="$1" --set text="$2" \
    <<<"SELECT count(*) FROM memory_profile.memory_list(:'subject', max_results => 10000) WHERE memory ILIKE '%' || :'text' || '%';"
}

# ------------------------------------------------------------------------------------------------------- the tests

test_what_the_model_finds() {
  sql -At >/dev/null <<'SQL'
SELECT memory_profile.profile_schema_set('[{"key": "city", "type": "text", "description": "where they live now"},
  {"key": "plan", "type": "select", "enum_values": ["free", "team"]}]');
SELECT memory_profile.project_configure('{"extraction_instructions": "Look out for allergies."}');
SQL
  learn plain 'My city is Rome.'
  settles plain 'done'
  same 'the model fills fields' Rome "$(sql -Atc "SELECT memory_profile.profile_get('plain') ->> 'city'")"
  same 'the model gives memories' 1 "$(remembers plain 'User noted: My city is Rome.')"
  same 'the job says who read the text, and at what cost' 'test-model|100|10' \
    "$(job plain "result ->> 'model', result #>> '{tokens,prompt}', result #>> '{tokens,completion}'")"
  same 'the text is gone' t "$(sql -Atc "SELECT bool_and(payload IS NULL) FROM memory_profile.job WHERE status = 'done'")"
  same 'and what the model said of it' 0 "$(sql -Atc 'SELECT count(*) FROM memory_profile.job_answer')"
  check 'the prompt has the instructions' grep -q 'Look out for allergies' <(asked 'city is Rome')
  check 'and the fields' grep -q 'where they live now' <(asked 'city is Rome')
  check 'the schema has the values of the field' grep -q '"enum": \["free", "team"\]' <(asked 'city is Rome')
}

test_conversation() {
  learn talk '[{"role": "user", "content": "I sing."}, {"role": "assistant", "content": "Nice."}, {"role": "user", "content": "And I dance."}]'
  settles talk 'done'
  same 'turns are numbered, and memories know theirs' '0,1,2' \
    "$(sql -Atc "SELECT string_agg(sequence::text, ',' ORDER BY sequence) FROM memory_profile.memory
                 WHERE subject_key = memory_profile.subject_key('talk')")"
}

# Plans that the model says are off or moved are treated as those that the built-in rules find.
test_plans() {
  learn plans 'The dentist appointment is planned on 2090-05-12.
The meeting with Bob is planned on 2090-05-13.
The meeting with Eve is planned on 2090-05-14.'
  settles plans 'done'
  same 'three are planned' 3 "$(remembers plans 'is planned')"
  learn plans 'The dentist appointment is cancelled.'
  settles plans 'done'
  same 'one that is cancelled is forgotten' '0|called off by "User noted: The dentist appointment is cancelled."' \
    "$(remembers plans 'dentist appointment is planned')|$(sql -Atc "SELECT reason FROM memory_profile.memory_decisions('plans') WHERE decision = 'contradicted'")"
  learn plans 'The meeting with Bob is moved to 2090-05-20.'
  settles plans 'done'
  same 'one that is moved is superseded' '0|2|2090-05-20|2090-05-21' "$(remembers plans 'Bob is planned')|$(sql -Atc \
    "SELECT version, (event_date AT TIME ZONE 'UTC')::date, (forget_after AT TIME ZONE 'UTC')::date FROM memory_profile.memory
     WHERE subject_key = memory_profile.subject_key('plans') AND content LIKE '%is moved to%' AND superseded_at IS NULL")"
  learn plans 'The meeting is cancelled.'
  settles plans 'done'
  same 'of several none is meant' 1 "$(remembers plans 'Eve is planned')"
  check 'the prompt asks for them' grep -q 'plan_change' <(asked 'dentist appointment is cancelled')
}

test_name_is_known() {
  sql -c "SELECT memory_profile.profile_patch('named', '[{\"field_key\": \"name\", \"value\": \"Grace Hopper\"}]')" >/dev/null
  learn named 'What a fine day for named people.'
  settles named 'done'
  check 'the prompt has the name of the subject' grep -q 'called Grace Hopper' <(asked 'named people')
}

test_slow() {
  learn snail 'This one is slow. #slowafter3'
  wait_for 10 is_asking
  local number
  for number in 1 2 3 4 5; do learn "hare-$number" "Hare $number is quick."; done
  sleep 1
  same 'no transaction is open meanwhile' 0 \
    "$(sql -Atc "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'memory_profile models'
                 AND xact_start < now() - interval '500 ms'")"
  same 'and the subject can be written' t "$(sql -Atc "SET lock_timeout = '1s'; SELECT memory_profile.memory_add('snail', 'Snails are slow') IS NOT NULL")"
  settles snail 'done'
  for number in 1 2 3 4 5; do settles "hare-$number" 'done'; done
  same 'a slow answer holds nobody up' t "$(sql -Atc "SELECT max(finished_at) FILTER (WHERE external_id LIKE 'hare-%') < max(finished_at) FILTER (WHERE external_id = 'snail')
    FROM memory_profile.job JOIN memory_profile.subject USING (subject_key) WHERE kind = 'learn'")"
}

# shellcheck disable=SC2317 # called by wait_for
is_asking() { [ "$(sql -Atc 'SELECT asking FROM memory_profile.model_status()')" -gt 0 ]; }

test_large_document() {
  sql -c "SELECT memory_profile.document_add('large', (SELECT string_agg('Line ' || n || ' of the large text. ' || repeat('word ', 40), E'\n')
    FROM generate_series(1, 500) n))" >/dev/null
  local number
  for number in 1 2 3; do learn "small-$number" "Small $number."; done
  for number in 1 2 3; do settles "small-$number" 'done' 5; done
  settles large 'done' 60
  same 'every line was read' 500 "$(remembers large 'of the large text')"
  check 'in several pieces' [ "$(count_asked 'of the large text')" -ge 8 ]
  same 'each of them once' 0 "$(asked 'of the large text' | sed 's/"at": [0-9.]*, //' | sort | uniq -d | wc -l)"
}

test_overload() {
  learn patient 'Too many requests #429x1after3'
  check 'the endpoint is left alone' wait_for 5 is_paused
  learn behind 'Behind the patient one.'
  same 'the reason can be read' 'the endpoint of the language model answered 429' \
    "$(sql -Atc 'SELECT error FROM memory_profile.model_status()')"
  settles patient 'done'
  settles behind 'done'
  check 'for as long as it asked' was_left_alone "$ENDPOINT" 3
  same 'that was no failure of the job' 'done|1' "$(job patient 'status, attempts')"
  same 'and is forgotten' '0|' "$(sql -Atc 'SELECT failures, paused_until FROM memory_profile.model_status()')"
}

# shellcheck disable=SC2317 # called by wait_for
is_paused() { [ "$(sql -Atc 'SELECT paused_until > now() FROM memory_profile.model_status()')" = t ]; }

test_passing_failures() {
  learn error 'An error of the server #500x1'
  learn reset 'The connection is reset #resetx1'
  learn late 'The answer comes too late #slowx1after4'
  settles error 'done'
  settles reset 'done'
  settles late 'done' 30
  for word in '#500x1' '#resetx1' '#slowx1'; do same "$word was asked twice" 2 "$(count_asked "$word")"; done
  same 'each was learned once' '1|1|1' "$(remembers error 'error of')|$(remembers reset reset)|$(remembers late late)"
}

# Texts whose answers are of no use: the built-in extractor reads them instead.
test_bad_answers() {
  local kind
  for kind in truncated cut schema prose refusal html 400 422; do
    learn "bad-$kind" "My name is Ada. I love tea. #$kind"
    settles "bad-$kind" 'done'
    same "$kind: the built-in extractor learns" Ada "$(sql -Atc "SELECT memory_profile.profile_get('bad-$kind') ->> 'name'")"
    check "$kind: the job says so" grep -q 'built-in extractor read this instead' <(job "bad-$kind" result)
    same "$kind: asked once" 1 "$(count_asked "#$kind")"
  done
}

# The rules that read instead are those of the project's language.
test_bad_answers_in_german() {
  sql -c "SELECT memory_profile.project_configure('{\"language\": \"de\"}')" >/dev/null
  learn german 'Ich heiße Jonas und wohne in Köln. Ich mag keinen Kaffee. #prose'
  settles german 'done'
  check 'the job of a German text says so' grep -q 'built-in extractor read this instead' <(job german result)
  same 'the rules for German read it' 'Jonas mag keinen Kaffee,Jonas wohnt in Köln' \
    "$(sql -Atc "SELECT string_agg(memory, ',' ORDER BY memory) FROM memory_profile.memory_list('german') WHERE kind <> 'profile_field'")"
  same 'and find the name' Jonas "$(sql -Atc "SELECT memory_profile.profile_get('german') ->> 'name'")"
  sql -c "SELECT memory_profile.project_configure('{\"language\": null}')" >/dev/null
  learn german-no-more 'Ich wohne in Köln. I live in Rome. #prose'
  settles german-no-more 'done'
  same 'without the setting those for English do' 1 "$(remembers german-no-more 'User lives in Rome')"
}

test_poison() {
  learn_with_attempts poison 'Nobody can answer this. #500x2' 2
  local number
  for number in 1 2 3; do learn "other-$number" "Other $number."; done
  settles poison failed 30
  for number in 1 2 3; do settles "other-$number" 'done' 5; done
  same 'what failed says why' 'the endpoint of the language model answered 500|2' "$(job poison 'error, attempts')"
  same 'and keeps its text' 1 "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE status = 'failed' AND payload LIKE 'Nobody can%'")"
  same 'it can be tried again' t "$(sql -Atc "SELECT memory_profile.job_retry('poison', (SELECT id FROM memory_profile.jobs('poison')))")"
  settles poison 'done'
  same 'and is learned then' 1 "$(remembers poison 'Nobody can answer')"
}

test_no_answer_at_all() {
  learn_with_attempts hung 'It hangs. #slowafter20' 1
  settles hung failed 10
  same 'a time-out is one' 'the language model could not be asked: no answer in time' "$(job hung error)"
}

# ------------------------------------------------------------------------------------------------------ summaries

summary() { sql -At --set subject="$1" <<<"SELECT memory_profile.profile_summary(:'subject');"; }

# shellcheck disable=SC2317 # called by wait_for
summary_has() { [[ $(summary "$1") == *"$2"* ]]; }

# Requests for a summary of facts with this word: summaries_asked WORD
summaries_asked() { asked "$1" | grep -c 'You write the summary' || true; }

add() { sql -At --set subject="$1" --set text="$2" <<<"SELECT memory_profile.memory_add(:'subject', :'text', true);"; }

summary_interval() { sql -Atc "SELECT memory_profile.project_configure('{\"summary_interval\": $1}') IS NOT NULL" >/dev/null; }

# shellcheck disable=SC2317 # called by wait_for
summaries_are_done() {
  [ "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE kind = 'summary' AND status IN ('queued', 'running')")" = 0 ]
}

test_summaries() {
  same 'without the setting nothing is summed up' 0 "$(sql -Atc "SELECT count(*) FROM memory_profile.job WHERE kind = 'summary'")"
  summary_interval 0
  local secret
  add summed 'User plays the bassoon' >/dev/null
  secret=$(add summed 'User keeps a secret diary')
  check 'the model sums up what is known' wait_for 10 summary_has summed 'Model says: user keeps a secret diary, and user plays the bassoon.'
  check 'the jobs are done' wait_for 10 summaries_are_done
  same 'it is kept with what it was made from' '2|test-model|t' "$(sql -Atc "SELECT cardinality(memory_ids), model, (tokens ->> 'prompt')::integer > 0
    FROM memory_profile.model_summary WHERE subject_key = memory_profile.subject_key('summed')")"
  same 'the prompt has no place left open' 0 "$(asked bassoon | grep -c '{{' || true)"
  local times
  times=$(summaries_asked bassoon)
  add summed 'User plays the bassoon' >/dev/null
  check 'what is known already' wait_for 10 summaries_are_done
  same 'is not asked about again' "$times" "$(summaries_asked bassoon)"

  # Nothing shows what is forgotten, from the same transaction on.
  same 'a forgotten memory takes the summary with it at once' 'f|0' "$(sql -At --set id="$secret" <<'SQL'
BEGIN;
SELECT memory_profile.memory_forget('summed', :'id') \gset forgotten_
SELECT memory_profile.profile_summary('summed') LIKE '%diary%',
       (SELECT count(*) FROM memory_profile.model_summary WHERE subject_key = memory_profile.subject_key('summed'));
COMMIT;
SQL
  )"
  check 'and there is another one without it' wait_for 10 summary_has summed 'Model says: user plays the bassoon.'
  sql -c "SELECT memory_profile.memory_add('summed', 'User is in Lisbon for a week', forget_after => now() + interval '4 seconds')" >/dev/null
  check 'what will expire is summed up' wait_for 3 summary_has summed 'lisbon'
  check 'until it has expired' wait_for 10 summary_lacks summed lisbon
  same 'then the other one stands again, or the built-in one' f "$(sql -Atc "SELECT memory_profile.profile_summary('summed') LIKE '%isbon%'")"

  add inventive 'User grows tomatoes #invent' >/dev/null
  check 'a summary with a name that nothing states' wait_for 10 is_noted inventive
  same 'is not shown' t "$(sql -Atc "SELECT memory_profile.profile_summary('inventive') LIKE 'User grows tomatoes%'")"
  check 'and the job says why' grep -q 'it has a name that nothing states' \
    <(sql -Atc "SELECT result FROM memory_profile.jobs('inventive') WHERE kind = 'summary'")

  add calm 'User builds boats' >/dev/null
  check 'another subject is summed up' wait_for 10 summary_has calm 'Model says: user builds boats.'
  summary_interval 3600
  add calm 'User repairs clocks' >/dev/null
  sleep 1
  same 'within the interval the former summary stays' 'Model says: user builds boats.' "$(summary calm)"
  same 'and the next one waits for it to pass' t "$(sql -Atc "SELECT bool_and(run_after > now() + interval '59 minutes') FROM memory_profile.jobs('calm')
    WHERE kind = 'summary' AND status = 'queued'")"
  learn calm 'User sails on Sundays.'
  settles calm 'done'
  same 'it holds up no learning' 1 "$(remembers calm 'sails on Sundays')"
  same 'erasing a subject erases its summary' 0 "$(sql -At <<'SQL'
SELECT memory_profile.profile_erase('calm') \gset erased_
SELECT count(*) FROM memory_profile.model_summary WHERE subject_key = memory_profile.subject_key('calm');
SQL
  )"
  summary_interval -1
}

# shellcheck disable=SC2317 # called by wait_for
summary_lacks() { ! summary_has "$1" "$2"; }

# shellcheck disable=SC2317 # called by wait_for
is_noted() { [ "$(sql -Atc "SELECT content IS NULL FROM memory_profile.model_summary WHERE subject_key = memory_profile.subject_key('$1')")" = t ]; }

# --------------------------------------------------------------------------------------------- who may, and may not

test_sessions() {
  test_database without_worker
  summary_interval -1
  learn session 'In a session. #slowafter1'
  sql -c "CREATE ROLE app LOGIN; GRANT memory_profile_user TO app; SELECT memory_profile.project_bind('default', 'app')" >/dev/null
  PGUSER=app sql -c 'CALL memory_profile.run_jobs()'
  same 'an ordinary role has nobody called' queued "$(job session status)"
  check 'nor may it itself' grep -q 'permission denied for procedure' <(PGUSER=app sql -c 'CALL memory_profile._ask_models()' 2>&1)
  for setting in chat_url chat_model chat_key_file; do
    check "it cannot see memory_profile.$setting" grep -q 'must be superuser\|permission denied' \
      <(PGUSER=app sql -c "LOAD 'memory_profile'; SHOW memory_profile.$setting" 2>&1 || PGUSER=app sql -c "SELECT memory_profile.current_project(); SHOW memory_profile.$setting" 2>&1)
    check "nobody sets memory_profile.$setting in a session" grep -q 'cannot be changed now' \
      <(sql -c "SELECT memory_profile.current_project(); SET memory_profile.$setting = 'x'" 2>&1)
  done
  check 'the model is not asked within a transaction block' grep -q 'models cannot be asked within a transaction block' \
    <(sql -c 'BEGIN' -c 'CALL memory_profile._ask_models()' 2>&1)
  sql -c 'CALL memory_profile.run_jobs()' &
  local caller=$!
  wait_for 5 is_asking
  same 'a session has no snapshot meanwhile' 0 "$(sql -Atc "SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'CALL memory_profile.run_jobs%' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)")"
  check 'run_jobs() asks where it may' wait "$caller"
  same 'and learns' 1 "$(remembers session 'In a session')"
  learn cancelled 'It hangs again. #slowafter20'
  check 'and can be cancelled while it waits' grep -q 'canceling statement' \
    <(PGOPTIONS="-c statement_timeout=700" sql -c 'CALL memory_profile.run_jobs()' 2>&1)
  export PGDATABASE=$DATABASE
}

# The key is in the file, and in no log, row or setting.
test_key_is_secret() {
  same 'the key is not in the log of the server' 0 "$(grep -c "$KEY" "$CLUSTER/log/postgres.log" || true)"
  same 'nor in the database' 0 "$(pg_dump "$DATABASE" | grep -c "$KEY" || true)"
  same 'nor in a setting' 0 "$(sql -Atc "SELECT count(*) FROM pg_settings WHERE setting LIKE '%$KEY%'")"
  sql -c "ALTER SYSTEM SET memory_profile.chat_key_file = '$ENDPOINT/wrong'" -c 'SELECT pg_reload_conf()' >/dev/null
  sleep 1
  learn keyless 'Without a key.'
  check 'without a key nothing is asked' wait_for 5 is_paused
  same 'and the job says why, but not where' 'the key file of the language model cannot be used: entity not found' "$(job keyless error)"
  same 'nothing was sent' 0 "$(count_asked 'Without a key')"
  echo 'sk-wrong' | as_server tee "$ENDPOINT/wrong" >/dev/null
  sql -c 'DELETE FROM memory_profile.model_endpoint'
  wait_for 5 is_refused
  same 'a wrong key is no failure of the job' 'queued|the endpoint of the language model answered 401' "$(job keyless 'status, error')"
  sql -c "ALTER SYSTEM SET memory_profile.chat_key_file = '$ENDPOINT/key'" -c 'SELECT pg_reload_conf()' -c 'DELETE FROM memory_profile.model_endpoint' >/dev/null
  settles keyless 'done'
}

# shellcheck disable=SC2317 # called by wait_for
is_refused() { [ "$(job keyless error)" = 'the endpoint of the language model answered 401' ]; }

# --------------------------------------------------------------------------------------------------- ends and restarts

models_process() { sql -Atc "SELECT pid FROM pg_stat_activity WHERE backend_type = 'memory_profile models'"; }

test_shutdown() {
  learn interrupted 'The server stops meanwhile. #slowx1after15'
  wait_for 10 is_asking
  local begin=$SECONDS
  cluster_stop "$CLUSTER" fast
  check 'a shutdown does not wait for the model' [ $((SECONDS - begin)) -le 12 ]
  cluster_start "$CLUSTER"
  settles interrupted 'done' 30
  same 'what was under way is asked again, and learned once' '2|1' "$(count_asked 'stops meanwhile')|$(remembers interrupted 'stops meanwhile')"
}

test_kill() {
  learn killed 'The process is killed. #slowx1after3'
  wait_for 10 is_asking
  as_server kill -KILL "$(models_process)"
  wait_for 20 is_up
  settles killed 'done' 40
  same 'a killed process loses and doubles nothing' 1 "$(remembers killed 'process is killed')"
}

# shellcheck disable=SC2317 # called by wait_for
is_up() { sql -c 'SELECT 1' >/dev/null 2>&1; }

test_turned_off() {
  stop_endpoint "$ENDPOINT"
  learn stranded 'My name is Robin. I play chess.'
  check 'an endpoint that is gone is left alone' wait_for 5 is_paused
  same 'its jobs wait' queued "$(job stranded status)"
  check 'and say why' grep -q 'could not be asked: the connection failed' <(job stranded error)
  sql -c "ALTER SYSTEM SET memory_profile.chat_url = ''" -c 'SELECT pg_reload_conf()' >/dev/null
  settles stranded 'done'
  same 'without an endpoint the built-in extractor learns' Robin "$(sql -Atc "SELECT memory_profile.profile_get('stranded') ->> 'name'")"
}

# ------------------------------------------------------------------------------------------------------------------

start_endpoint "$ENDPOINT" "$REPO/tests/model/endpoint.py" "$KEY"
trap 'stop_endpoint "$ENDPOINT"; end_test_clusters' EXIT
pg_config=$(test_pg_config "$(main_major)")
test_cluster model "$pg_config" "shared_preload_libraries = 'memory_profile'" "memory_profile.worker_databases = '$DATABASE'" \
  "memory_profile.worker_naptime = '50ms'" "memory_profile.chat_url = 'http://127.0.0.1:$(<"$ENDPOINT/port")/v1/'" \
  "memory_profile.chat_model = 'test-model'" "memory_profile.chat_key_file = '$ENDPOINT/key'" "memory_profile.chat_timeout = '3500ms'" \
  "log_statement = 'all'" "log_min_messages = 'debug1'"
trap 'stop_endpoint "$ENDPOINT"; end_test_clusters' EXIT
test_database "$DATABASE"
summary_interval -1

test_what_the_model_finds
test_conversation
test_plans
test_name_is_known
test_slow
test_large_document
test_overload
test_passing_failures
test_bad_answers
test_bad_answers_in_german
test_poison
test_no_answer_at_all
test_summaries
test_sessions
test_key_is_secret
test_shutdown
test_kill
test_turned_off
finish
