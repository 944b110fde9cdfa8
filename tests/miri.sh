#!/usr/bin/env bash
# Runs the tests of some crates in the interpreter Miri, where a nightly toolchain has it: tests/miri.sh CRATE...
#
# It sees undefined behaviour, races of threads and leaks that a processor forgives. It is some thousand times slower, so the tests
# take less of everything there.

source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"

[ $# -gt 0 ] || die "usage: tests/miri.sh CRATE..."
if ! cargo +nightly miri --version; then
  say "notice: no nightly toolchain with Miri is installed, so nothing was interpreted"
  exit 0
fi

# The clock and the number of processors are those of this machine; the rest of it is out of reach.
export MIRIFLAGS="${MIRIFLAGS:-} -Zmiri-disable-isolation"
export CARGO_TARGET_DIR=$REPO/target/miri
for crate in "$@"; do
  cargo +nightly miri test --manifest-path "$REPO/Cargo.toml" --package "$crate" --locked
done
