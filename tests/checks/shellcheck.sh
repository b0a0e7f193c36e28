#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The scripts are clean in the eyes of shellcheck.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

test_scripts_are_clean() {
    local scripts
    command -v shellcheck >/dev/null || skip 'shellcheck is not installed'
    mapfile -t scripts < <(cd "$top_srcdir" && {
        find tests -name '*.sh'
        grep -rIlE '^#! ?/(usr/bin/env |bin/)(ba)?sh' bootstrap scripts tests .ci 2>/dev/null
    } | sort -u)
    cd "$top_srcdir"
    shellcheck "${scripts[@]}"
}

run_tests "$@"
