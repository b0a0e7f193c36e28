# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The models of the ring and of the doorbells, searched with spin for a state in which they do not hold
# what they claim: there must be none, but for each bug that can be planted in them one is found, so
# that we know that it would be.
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-1800} # to search all states takes a while
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_srcdir=$(realpath "$top_srcdir")
# shellcheck source=tests/tap.sh
. "$top_srcdir/tests/tap.sh"

MEMORY_MB=2048
DEPTH=100000

# explore MODEL FLAG…: all that the model can do, in $explored
explore() {
    local program
    for program in spin gcc; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
    cd "$TEST_DIR" || return
    spin -a "${@:2}" "$top_srcdir/tests/model/$1.pml" >generated 2>&1 || fail "$(cat generated)"
    gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM="$MEMORY_MB" -o pan pan.c
    explored=$(./pan -m"$DEPTH" 2>&1) || true
}

assert_holds() {
    explore "$@"
    [[ $explored == *'errors: 0'* && $explored != *'Search not completed'* &&
        $explored != *'max search depth too small'* ]] || fail "$explored"
    diagnose "$(grep -oE '[0-9]+ states, stored' <<<"$explored")"
}

assert_caught() {
    explore "$@"
    assert_contains "$explored" 'errors: 1'
    diagnose "$(grep -E '^pan:1:' <<<"$explored")"
}
