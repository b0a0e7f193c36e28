#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# scripts/quickstart, where systemd does not run the machine: with what is built already.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

quickstart=$top_srcdir/scripts/quickstart

# It reads the record through the socket, so that the kernel vouches for who it is, and leaves nothing.
test_by_hand() {
    mv "$TEST_DIR/bin" "$TEST_DIR/build"
    rm -r "$RUNTIME_DIRECTORY"
    chmod 0755 "$TEST_DIR"
    assert_exit 0 env -u NOTIFY_SOCKET "$quickstart" --by-hand "$TEST_DIR"
    assert_contains "$output" 'abcdefghijklmnopqrstuvwxyz' 'acknowledged record 1 (26 bytes)'
    [[ $output != *unverified* ]] || fail "$output"
    assert_eq "$(count_segments)" 0
    assert_eq "$(find "$RUNTIME_DIRECTORY" ! -type d)" '' 'files'
}

# Before anything is installed or built.
test_arguments() {
    assert_exit 1 "$quickstart" --no-such-option
    assert_contains "$output" 'quickstart: takes no arguments'
}

run_tests "$@"
