# shellcheck shell=bash
# Everything, for the scripts that run tests.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$REPO/tests/lib/deps.sh"
source "$REPO/tests/lib/build.sh"
source "$REPO/tests/lib/cluster.sh"
source "$REPO/tests/lib/http.sh"
source "$REPO/tests/lib/testing.sh"
