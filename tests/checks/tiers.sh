#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# CONTRIBUTING.md and scripts/test name the same tiers, with the same words and in the same order; and
# what scripts/test cannot do, it says before it begins.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

test=$top_srcdir/scripts/test

test_contributing_has_the_tiers() {
    assert_eq "$(sed -nE 's/^\| `([a-z-]+)` \| (.*) \|$/\1 \2/p' "$top_srcdir/CONTRIBUTING.md" |
        sed -n '/^gcc /,/^long-run /p')" "$("$test" --tiers | sed 's/  */ /')" 'the tables'
}

# Each is a function, or nothing would run.
test_each_tier_is_there() {
    local name
    while read -r name _; do
        grep -qx "tier_$name() {" "$test" || fail "no tier_$name"
    done < <("$test" --tiers)
    (($("$test" --tiers | wc -l) > 10)) || fail "$("$test" --tiers)"
}

test_an_unknown_tier() {
    assert_exit 2 "$test" gcc stres
    assert_contains "$output" 'unknown tier «stres»' 'the tiers are: gcc '
}

test_an_unknown_option() {
    assert_exit 2 "$test" --fast
    assert_contains "$output" 'unknown option --fast' --help
    assert_exit 2 "$test" --builds
    assert_contains "$output" 'needs a directory'
}

test_help() {
    assert_exit 0 "$test" --help
    assert_contains "$output" --all --fail-fast --builds distcheck TMPDIR
}

# No room, and nothing to write to.
test_nowhere_to_build() {
    assert_exit 1 env TMPDIR="$TEST_DIR/none" "$test" gcc
    assert_contains "$output" "cannot write to $TEST_DIR/none" TMPDIR
    mkdir "$TEST_DIR/small"
    # In a chroot, whose / is no mount point, it would be mounted for all, and be in the way.
    if [[ -z ${isolation[*]} ]] || ! mount -t tmpfs -o size=1M tmpfs "$TEST_DIR/small" 2>/dev/null; then
        skip 'cannot mount a small file system for itself'
    fi
    assert_exit 1 env TMPDIR="$TEST_DIR/small" "$test" gcc
    assert_contains "$output" "$TEST_DIR/small has" 'MB free'
    assert_eq "$(ls "$TEST_DIR/small")" '' 'what is left there'
}

# Ctrl-C: the whole process group gets SIGINT, as from a terminal.
test_an_interrupt_leaves_nothing() {
    local pid status=0
    mkdir "$TEST_DIR/builds"
    TMPDIR=$TEST_DIR/builds env --default-signal=INT setsid "$test" gcc >"$TEST_DIR/said" 2>&1 &
    pid=$!
    wait_until "grep -q '^==> gcc' '$TEST_DIR/said'"
    kill -INT -- "-$pid"
    wait "$pid" || status=$?
    assert_eq "$status" 130 'exit status'
    assert_contains "$(cat "$TEST_DIR/said")" 'interrupted'
    assert_eq "$(ls "$TEST_DIR/builds")" '' 'what is left of the builds'
    wait_until '[[ -z $(sessions_of '"$pid"') ]]'
}

# Processes of a session, but for zombies.
sessions_of() {
    awk -v session="$1" '{ sub(/.*\) /, "") } $4 == session && $1 != "Z"' /proc/[0-9]*/stat 2>/dev/null || true
}

if unshare --mount true 2>/dev/null; then
    isolation=(unshare --mount)
fi
run_tests "$@"
