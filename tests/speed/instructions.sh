#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# How many instructions a record takes, from its source to its acknowledgement, daemon and client
# together, is kept in tests/speed/figures, and may not grow unnoticed. callgrind counts them, so it
# does not matter how fast or how busy a machine is. What does matter is the compiler: there are
# figures for one, with the default optimisation.
#
# When it has grown for a good reason, or shrunk (a gain that is not noted can be lost unnoticed):
#   UPDATE=1 top_builddir=BUILD tests/speed/instructions.sh
# writes the figures anew; say in the commit what they were, and why.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_builddir=${top_builddir:-$top_srcdir}
top_srcdir=$(realpath "$top_srcdir")
top_builddir=$(realpath "$top_builddir")
. "$top_srcdir/tests/tap.sh"

figures=$top_srcdir/tests/speed/figures
program=$top_builddir/tests/speed/instructions
BAND_PERCENT=5
RECORDS=20000

# Instructions of so many records: count MODE RECORDS
count() {
    local status=0 out
    out=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        --toggle-collect=exchange "$program" "$1" "$2" 2>&1) || status=$?
    ((status != 77)) || skip 'no private IPC namespace'
    ((status == 0)) || fail "$out"
    sed -nE 's/.*Collected *: *([0-9]+).*/\1/p' <<<"$out"
}

# What a record takes, in tenths of an instruction: the difference of two runs has no beginning.
each() {
    local few many
    few=$(count "$1" "$RECORDS")
    many=$(count "$1" $((3 * RECORDS)))
    echo $((10 * (many - few) / (2 * RECORDS)))
}

# guard MODE
guard() {
    local compiler flags now noted
    command -v valgrind >/dev/null || skip 'valgrind is not installed'
    compiler="$("$program" compiler)-$(uname -m)"
    flags=$(sed -n 's/^CFLAGS = *//p' "$top_builddir/Makefile")
    [[ $flags == '-g -O2' ]] || skip "the figures are for CFLAGS='-g -O2', not '$flags'"
    ! grep -q '^HARDEN_CFLAGS = .*-fsanitize' "$top_builddir/Makefile" ||
        skip 'the figures are for a build without sanitizers'
    ! grep -q '^CRASH_CPPFLAGS = .' "$top_builddir/Makefile" ||
        skip 'the figures are for a build without marked steps'
    now=$(each "$1")
    if [[ -n ${UPDATE:-} ]]; then
        touch "$figures"
        sed -i "/^$compiler $1 /d" "$figures"
        echo "$compiler $1 $now" >>"$figures"
    fi
    noted=$(sed -n "s/^$compiler $1 //p" "$figures")
    [[ -n $noted ]] || skip "there is no figure for $compiler"
    diagnose "$1: $((now / 10)).$((now % 10)) instructions for each record, $((noted / 10)).$((noted % 10)) are noted"
    ((now * 100 <= noted * (100 + BAND_PERCENT))) ||
        fail "a record takes $((now * 100 / noted - 100)) % more instructions than is noted in $figures"
    ((now * 100 >= noted * (100 - BAND_PERCENT))) ||
        fail "a record takes $((100 - now * 100 / noted)) % fewer instructions: note it in $figures"
}

test_a_stream_takes_no_more_instructions() {
    guard stream
}

test_a_record_at_a_time_takes_no_more_instructions() {
    guard hop
}

test_a_publishers_record_takes_no_more_instructions() {
    guard push
}

run_tests "$@"
