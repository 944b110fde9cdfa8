#!/usr/bin/env bash
# Runs a measurement that needs no server: benches/example.sh EXAMPLE [argument…], an example of one of the crates.

source "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/all.sh"
source "$REPO/benches/lib/setup.sh"

ensure_packages run
: >"$BUILD_LOG"
cargo_example "$@"
