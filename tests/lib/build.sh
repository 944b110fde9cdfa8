# shellcheck shell=bash
# Builds the extension and the packed model, makes private copies of Postgres, and installs the one into the other.
# Nothing but `make install` ever writes into the Postgres of the system.

MODEL_FILE=all-MiniLM-L6-v2.mpm

pg_major() { "$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

extension_version() { sed -n '/^\[package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' "$REPO/Cargo.toml"; }

# cargo gives the library of every major version the same name, so all but the usual one have a target directory of
# their own.
target_dir() { if [ "$1" = "$(choose_major)" ]; then echo "$REPO/target"; else echo "$REPO/target/pg$1"; fi; }

build_dir() { echo "$LOCAL/build/pg$1"; }

tools_dir() { echo "$(target_dir "$(pg_major "$PG_CONFIG")")/release"; }

# Runs cargo for the whole workspace and one Postgres: cargo_workspace COMMAND PG_CONFIG [argument…]
#
# Which features a dependency has follows from the packages that are asked for together, and with other features it is
# compiled once more. So these are always all packages, and one profile: what the tools and the library, the tests, the
# examples and the lints have in common is compiled once.
cargo_workspace() {
  local command=$1 pg_config=$2 major dir
  shift 2
  major=$(pg_major "$pg_config")
  dir=$(target_dir "$major")
  seed_target_dir "$dir"
  (cd "$REPO" && CARGO_TARGET_DIR=$dir PGRX_PG_CONFIG_PATH=$pg_config \
    cargo "$command" --workspace --release --locked --no-default-features --features "pg$major" "$@")
}

# Most of what is compiled does not depend on the version of Postgres: a new target directory begins as a copy.
seed_target_dir() {
  local from=$REPO/target/release to=$1/release
  if [ -e "$to" ] || [ ! -e "$from/deps" ]; then return; fi
  rm -rf "$to.new" && mkdir -p "$to.new"
  cp -a "$from"/{.fingerprint,build,deps} "$to.new"
  mv "$to.new" "$to"
}

# Leaves the three files of the extension in the build directory: build_extension PG_CONFIG
build_extension() {
  local pg_config=$1 major out library
  major=$(pg_major "$pg_config")
  out=$(build_dir "$major")
  library=$(target_dir "$major")/release/libmemory_profile.so
  cargo_workspace build "$pg_config" --lib --bins
  mkdir -p "$out"
  cp "$library" "$out/memory_profile.so"
  sed "s/@CARGO_VERSION@/$(extension_version)/" "$REPO/memory_profile.control" >"$out/memory_profile.control"
  "${library%/*}/install_script" "$library" "$REPO/memory_profile.control" "$out/memory_profile--$(extension_version).sql"
}

# Packs the sentence encoder; again only when the packer has changed. Prints the path of the pack.
build_model() {
  local out=$LOCAL/build/$MODEL_FILE packer stamp files
  cargo_workspace build "$PG_CONFIG" --bins >&2
  packer=$(tools_dir)/pack_model
  stamp=$(sha256sum <"$packer")
  if [ ! -e "$out" ] || [ "$(cat "$out.stamp" 2>/dev/null)" != "$stamp" ]; then
    files=$(ensure_model_files)
    mkdir -p "${out%/*}"
    "$packer" "$files" "$out.new" --name "${MODEL_FILE%.mpm}" >&2
    mv "$out.new" "$out"
    echo "$stamp" >"$out.stamp"
  fi
  echo "$out"
}

# The longest directory that all the given paths share.
common_root() {
  local root=$1 path
  for path in "$@"; do
    until [[ $path/ == "$root"/* ]]; do root=${root%/*}; done
  done
  echo "$root"
}

# Copies a Postgres to a directory of its own and prints the copy's pg_config. Postgres finds its files relative to
# its programs, so the copy works as long as their places relative to each other stay.
copy_postgres() {
  local pg_config=$1 to=$2 root dir bin
  bin=$("$pg_config" --bindir)
  local dirs=("$bin" "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)")
  root=$(common_root "${dirs[@]}")
  if [ ! -e "$to/complete" ]; then
    rm -rf "$to"
    for dir in "${dirs[@]}"; do
      mkdir -p "$to${dir#"$root"}"
      cp -a "$dir/." "$to${dir#"$root"}"
    done
    touch "$to/complete"
  fi
  echo "$to${bin#"$root"}/pg_config"
}

# Puts a file in its place by rename, so that no process ever sees half of it: put FILE DIRECTORY MODE
put() {
  local target=$2/${1##*/} run=()
  if cmp -s "$1" "$target"; then return; fi
  if ! mkdir -p "$2" 2>/dev/null || [ ! -w "$2" ]; then run=(as_admin); fi
  "${run[@]}" mkdir -p "$2"
  "${run[@]}" install -m "$3" "$1" "$target.new"
  "${run[@]}" mv "$target.new" "$target"
}

# Installs what was built for its version into a Postgres: install_extension PG_CONFIG [MODEL_PACK]
install_extension() {
  local pg_config=$1 model=${2:-} from extensions script
  from=$(build_dir "$(pg_major "$pg_config")")
  extensions=$("$pg_config" --sharedir)/extension
  put "$from/memory_profile.so" "$("$pg_config" --pkglibdir)" 755
  put "$from/memory_profile.control" "$extensions" 644
  for script in "$from"/memory_profile--*.sql "$REPO"/sql/memory_profile--*--*.sql; do
    if [ -e "$script" ]; then put "$script" "$extensions" 644; fi
  done
  if [ -n "$model" ]; then put "$model" "$extensions/memory_profile" 644; fi
}
