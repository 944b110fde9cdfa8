#!/usr/bin/env bash
# Runs tests of the crates without Postgres in the interpreter Miri, where a nightly toolchain has it:
# tests/miri.sh [kernels | index | encoder]…, all three by default.
#
# It sees undefined behaviour, races of threads and leaks that a processor forgives. It is some thousand times slower, so the
# tests take less of everything there.

source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"

# The clock and the number of processors are those of this machine; the rest of it is out of reach.
FLAGS="${MIRIFLAGS:-} -Zmiri-disable-isolation"

# Where the threads of rayon wait for work, crossbeam makes pointers of integers and borrows as only the newer of the two models
# of borrowing allows; and they are still there when the process ends.
RAYON_FLAGS='-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-ignore-leaks'

# interpret CRATE FLAGS [argument of cargo test…]
interpret() {
  MIRIFLAGS="$FLAGS $2" cargo +nightly miri test --manifest-path "$REPO/Cargo.toml" --package "$1" --locked "${@:3}"
}

crate_kernels() { interpret kernels ''; }
# A second thread of rayon would take half of the time to look for work.
crate_index() { RAYON_NUM_THREADS=1 interpret index "$RAYON_FLAGS"; }
# What has unsafe code. Files cannot be mapped there, so no model is opened.
crate_encoder() { interpret encoder '' --lib -- simd:: map::; }

if ! cargo +nightly miri --version; then
  say "notice: no nightly toolchain with Miri is installed, so nothing was interpreted"
  exit 0
fi

export CARGO_TARGET_DIR=$REPO/target/miri
# What is not said to be there is not found, and then the scalar kernels run alone.
if [ "$(uname -m)" = x86_64 ]; then export RUSTFLAGS="${RUSTFLAGS:-} -Ctarget-feature=+avx2,+fma,+f16c,+popcnt"; fi
[ $# -gt 0 ] || set -- kernels index encoder
for crate in "$@"; do
  declare -F "crate_$crate" >/dev/null || die "usage: tests/miri.sh [kernels | index | encoder]…"
  "crate_$crate"
done
