#!/usr/bin/env bash
# HTTPS as the language model, the embedding model and the receivers of webhooks are called: with certificates of a private
# authority, trusted and not, for another host, and out of date.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

CLUSTER=$TEST/tls
SERVERS=$TEST/tls-servers
NAMES=(good unknown elsewhere expired)

# ------------------------------------------------------------------------------------------------------ certificates

# An authority of its own: authority NAME
authority() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -days 30 -subj "/CN=The authority $1" 2>/dev/null
}

# A certificate: certificate NAME AUTHORITY HOST BEGIN END
certificate() {
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  touch "$2.index"
  openssl ca -batch -notext -config authority.conf -name "$2" -create_serial -in "$1.csr" -out "$1.pem" -startdate "$4" -enddate "$5" \
    -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$3") 2>/dev/null
}

# What `openssl ca` needs, which alone lets a certificate end in the past.
configuration() {
  printf '[anybody]\ncommonName = supplied\n'
  local name
  for name in ours others; do
    printf '[%s]\ncertificate = %s.pem\nprivate_key = %s.key\ndatabase = %s.index\nserial = %s.serial\nnew_certs_dir = .\ndefault_md = sha256\npolicy = anybody\nunique_subject = no\n' \
      "$name" "$name" "$name" "$name" "$name"
  done
}

make_certificates() {
  (
    cd "$SERVERS" || exit
    authority ours
    authority others
    configuration >authority.conf
    certificate good ours localhost 20200101000000Z 20991231000000Z
    certificate unknown others localhost 20200101000000Z 20991231000000Z
    certificate elsewhere ours elsewhere.example 20200101000000Z 20991231000000Z
    certificate expired ours localhost 20200101000000Z 20201231000000Z
    echo 'no certificate' >rubbish.pem
    chmod a+r ./*.key
  )
}

start_servers() {
  make_server_dir "$SERVERS"
  make_certificates
  as_server rm -f "$SERVERS"/{ready,pid,requests}
  as_server touch "$SERVERS/requests"
  as_server python3 -B - "$SERVERS" "${NAMES[@]}" <"$REPO/tests/tls/server.py" &
  disown
  wait_for 10 test -e "$SERVERS/ready"
}

# shellcheck disable=SC2317 # called by the trap
stop_servers() {
  if [ -s "$SERVERS/pid" ]; then as_server kill "$(<"$SERVERS/pid")" || true; fi
  as_server rm -f "$SERVERS/pid"
}

url() { echo "https://localhost:$(<"$SERVERS/$1.port")"; }

# ------------------------------------------------------------------------------------------------------------- calls

configure() { sql -c "ALTER SYSTEM SET memory_profile.$1 = '$2'" >/dev/null; }

reload() {
  # What is left alone after failures is not to be waited for.
  sql -c 'SELECT pg_reload_conf()' -c 'DELETE FROM memory_profile.model_endpoint' \
    -c 'UPDATE memory_profile.webhook SET failures = 0, paused_until = NULL' >/dev/null
  sleep 0.5
}

# Has everybody call a server: call_server NAME
call_server() {
  configure chat_url "$(url "$1")/v1"
  configure embeddings_url "$(url "$1")/v1"
  reload
  sql -c 'DELETE FROM memory_profile.webhook' \
    -c "SELECT memory_profile.webhook_create('$(url "$1")/hook', '{memory.created}')" >/dev/null
}

learn() { sql -c "SELECT memory_profile.learn('$1', 'Something about $1.')" -c "SELECT memory_profile.memory_add('$1', 'Written by hand for $1')" >/dev/null; }

job() { sql -Atc "SELECT $3 FROM memory_profile.jobs('$1') WHERE kind = '$2' ORDER BY created_at LIMIT 1"; }

# shellcheck disable=SC2317 # called by wait_for
learned() { [ "$(job "$1" learn status)" = 'done' ]; }

# shellcheck disable=SC2317 # called by wait_for
embedded() {
  [ "$(sql -Atc "SELECT count(*) > 0 FROM memory_profile.memory_embedding WHERE subject_key = memory_profile.subject_key('$1')")" = t ]
}

# shellcheck disable=SC2317 # called by wait_for
delivered() { [ "$(sql -Atc "SELECT count(*) > 0 FROM memory_profile.webhook_delivery WHERE status = 'delivered' AND subject_key = memory_profile.subject_key('$1')")" = t ]; }

# shellcheck disable=SC2317 # called by wait_for
job_says() { [[ $(job "$1" "$2" error) == *"$3"* ]]; }

# shellcheck disable=SC2317 # called by wait_for
delivery_says() {
  sql -Atc "SELECT error FROM memory_profile.webhook_delivery WHERE subject_key = memory_profile.subject_key('$1')" | grep -qF "$2"
}

# Everybody gets through: accepted NAME SUBJECT
accepted() {
  learn "$2"
  check "$1: the language model is asked" wait_for 20 learned "$2"
  check "$1: the embedding model is asked" wait_for 20 embedded "$2"
  check "$1: the webhook arrives" wait_for 20 delivered "$2"
}

# Nobody does, and each job says why: refused NAME SUBJECT CAUSE
refused() {
  learn "$2"
  check "$1: the job that learns says so" wait_for 20 job_says "$2" learn "the language model could not be asked: $3"
  check "$1: the job that embeds says so" wait_for 20 job_says "$2" embed "the embedding model could not be asked: $3"
  check "$1: the webhook says so" wait_for 20 delivery_says "$2" "$3"
  same "$1: neither job has failed" 'queued|queued' "$(job "$2" learn status)|$(job "$2" embed status)"
}

restart() {
  cluster_stop "$CLUSTER" fast
  cluster_start "$CLUSTER"
}

# ------------------------------------------------------------------------------------------------------------- tests

test_refused() {
  call_server unknown
  refused 'an unknown authority' unknown 'no secure connection: invalid peer certificate: UnknownIssuer'
  call_server elsewhere
  refused 'a certificate for another host' elsewhere 'no secure connection: invalid peer certificate: certificate not valid for name "localhost"'
  call_server expired
  refused 'a certificate that is out of date' expired 'no secure connection: invalid peer certificate: certificate expired'
  same 'nothing was sent to any of them' 0 "$(grep -cE '^(unknown|elsewhere|expired) ' "$SERVERS/requests" || true)"
}

test_accepted() {
  call_server good
  accepted 'the file of authorities' trusted
  check 'what was refused is made up for' wait_for 30 learned unknown
}

test_file() {
  configure ca_file "$SERVERS/rubbish.pem"
  reload
  refused 'a file without certificates' rubbish 'the file of memory_profile.ca_file holds no certificate that can be read'
  check 'the log says which' grep -q "cannot use the file of memory_profile.ca_file: $SERVERS/rubbish.pem" "$CLUSTER/log/postgres.log"
  configure ca_file ''
  reload
  refused 'without the file' untrusted 'no secure connection: invalid peer certificate: UnknownIssuer'
  cp "$SERVERS/others.pem" "$SERVERS/changing.pem"
  configure ca_file "$SERVERS/changing.pem"
  reload
  refused 'a file with another authority' changing 'no secure connection: invalid peer certificate: UnknownIssuer'
  cp "$SERVERS/ours.pem" "$SERVERS/changing.pem"
  reload
  accepted 'a file that has changed' changed
}

test_environment() {
  configure ca_file ''
  SSL_CERT_FILE=$SERVERS/ours.pem restart
  reload
  accepted 'the certificates of the system' environment
}

# ------------------------------------------------------------------------------------------------------------------

have openssl || die 'this test needs openssl'
start_servers
trap 'stop_servers; end_test_clusters' EXIT
test_cluster tls "$(test_pg_config "$(main_major)")" "shared_preload_libraries = 'memory_profile'" \
  "memory_profile.worker_databases = '$DATABASE'" "memory_profile.worker_naptime = '50ms'" 'memory_profile.webhook_private_networks = on' \
  "memory_profile.chat_url = '$(url good)/v1'" "memory_profile.chat_model = 'test-model'" "memory_profile.embedding_model = 'test-embedder'" \
  "memory_profile.embeddings_url = '$(url good)/v1'" "memory_profile.embeddings_model = 'test-embedder'" 'memory_profile.embeddings_dimensions = 3' \
  "memory_profile.ca_file = '$SERVERS/ours.pem'"
trap 'stop_servers; end_test_clusters' EXIT
test_database "$DATABASE"
sql -c "SELECT memory_profile.project_configure('{\"summary_interval\": -1}')" >/dev/null

test_refused
test_accepted
test_file
test_environment
finish
