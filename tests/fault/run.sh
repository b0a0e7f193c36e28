#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every system call and every allocation of the daemon fails in turn: the first, the second, and so
# on, in each part of its life; alone, or with all that come after it. The promise: it ends with status
# 71 and says why, or it goes on and serves; never a signal, never a hang. Nothing leaks, and nothing
# is left that keeps the next daemon from its work.
#
# An undisturbed run of the scenario counts the calls; then there is a run for every STEP-th of them
# (25, so that `make check` takes a minute; `make fault-test` leaves none out), from FIRST on: give it
# another one to try others. A failed run says its number N: AT=N runs that one alone.
#   STEP=1 top_builddir=BUILD tests/fault/run.sh test_one_call_fails_in_a_start
#
# Nothing leaks: the preloaded library (inject.c, allocate.c) keeps book of allocations and
# descriptors, and says at the exit what was left. With AddressSanitizer, which has the allocations in
# its own hands, calls fail, and it judges by itself.
set -euo pipefail
STEP=${STEP:-25}
AT=${AT:-}
FIRST=${FIRST:-7}
export STEP AT FIRST
export SHMD_TEST_TIMEOUT=${SHMD_TEST_TIMEOUT:-900}
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/peer.sh"

inject=$top_builddir/.libs/inject.so
EX_OSERR=71 # the system is short of something: systemd starts the daemon again
EX_NOPERM=77      # the segment may not be used, …
EX_UNAVAILABLE=69 # … or not even looked at
size=4096
patience_msec=$((PATIENCE_S * 1000))

# --- a daemon whose calls may fail ---

# A pause of some milliseconds, without a process for it.
pause() {
    read -rt "$1" -u "$never" || true
}

arm() {
    printf 10 1<>"$control"
}

# From now on nothing fails; and what has failed has come to its end: it answers, or it is gone.
disarm() {
    printf 0 1<>"$control"
    wait_answer
}

disturbed=(env) # what stands before a daemon whose calls may fail
spawn_disturbed() {
    daemon_prefix=("${disturbed[@]}")
    spawn_daemon
    daemon_prefix=()
}

# It has come so far that it waits for events.
is_up() {
    local bytes
    read -r bytes <"$control" || true
    [[ ${bytes:1} == 1 ]]
}

is_gone() {
    local stat
    ! read -r stat 2>/dev/null <"/proc/$daemon/stat" || [[ $stat == *') Z '* ]]
}

# Does it answer at its socket?
answers() {
    peer status >/dev/null 2>&1
}

is_over() {
    ! kill -0 "$1" 2>/dev/null
}

wait_answer() {
    within "$patience_msec" eval 'answers || is_gone' || fail 'the daemon does not answer'
}

# within MILLISECONDS COMMAND…: false if the command goes on to fail
within() {
    local looks=$(($1 / 5))
    while ! "${@:2}"; do
        ((looks-- > 0)) || return 1
        pause 0.005
    done
}

wait_up_or_gone() {
    within "$patience_msec" eval 'is_up || is_gone' || fail 'the start hangs'
}

start_disturbed() {
    spawn_disturbed
    wait_up_or_gone
    ! is_gone || fail 'an undisturbed daemon did not start'
}

# --- the judge ---

report_field() {
    sed -n "s/^$1 //p" "$report" | tail -n 1
}

has_sanitizer() {
    grep -q __asan_init "$top_builddir/shmd"
}

# Nothing is kept that was taken.
judge_leaks() {
    has_sanitizer || assert_eq "$(report_field live)" 0 'allocations that were not freed'
    assert_eq "$(report_field descriptors)" "$descriptors" 'descriptors at the exit'
}

# Of a daemon that ended by itself: with the status of a shortage, and with words.
judge_end() {
    local status=0
    wait "$daemon" 2>/dev/null || status=$?
    daemon=''
    if ((status == EX_NOPERM || status == EX_UNAVAILABLE)); then
        grep -q '^failed shmctl ' "$report" ||
            fail "exit status $status, but permission was not refused"
    else
        assert_eq "$status" "$EX_OSERR" 'exit status'
    fi
    grep -q '^shmd: .*[a-z]' "$log" || fail 'it ended without a word'
    judge_leaks
}

# A client is served; there is one segment.
judge_service() {
    assert_contains "$(peer hello=check take=1)" 'took 1 records'
    assert_eq "$(count_segments)" 1 'segments while the daemon runs'
}

judge_nothing_left() {
    local left=("$RUNTIME_DIRECTORY"/*)
    assert_eq "${left[*]}" '' 'files that were left'
    # Whoever looks at a process in /proc while it exits may hold its memory a little longer.
    wait_until '(($(count_segments) == 0))'
}

# After all: a daemon that nothing disturbs serves, stops and leaves nothing.
judge_next_start() {
    : >"$control"
    spawn_daemon
    wait_answer
    judge_service
    stop_daemon
    judge_nothing_left
}

# Of a daemon that may have ended, or be about to; if it goes on, it serves now that nothing fails any
# more.
judge_daemon() {
    wait_answer
    if is_gone; then
        judge_end
        judge_next_start
        return
    fi
    judge_service
    stop_daemon
    judge_leaks
    judge_nothing_left
}

# --- scenarios: what happens while calls fail ---

begin_ring() {
    configure 'layout = "ring";' "size = $size;" 'owner = "";' 'group = "root";'
}

begin_plain() {
    configure 'owner = "root";' 'group = "root";' 'poll_interval_ms = 1;'
}

# It said so, to the log or to its service manager: one of them may have failed.
was_ready() {
    grep -q '^shmd: started: ' "$log" || (($(count_ready) > ready_before))
}

scenario_start() {
    begin_plain
    arm
    spawn_disturbed
    wait_up_or_gone
    disarm
    if is_gone; then
        judge_end
        # Once it was ready, the next one goes on with what it had.
        was_ready || judge_nothing_left
        judge_next_start
    else
        judge_daemon
    fi
}

# The segment of a daemon that was killed is never lost, however often a start fails.
scenario_adopt() {
    local id
    begin_ring
    spawn_daemon
    wait_answer
    spawn_peer killed hello=killed take=5 await="$TEST_DIR/enough"
    wait_said killed took
    wait_log '^shmd: epoch .* begins' # it has been said before it is killed
    id=$(segment_id)
    stop_daemon KILL
    arm
    spawn_disturbed
    wait_up_or_gone
    disarm
    if is_gone; then
        judge_end
        assert_eq "$(segment_id)" "$id" 'segment after a start that failed'
        : >"$control"
        spawn_daemon
        wait_answer
    fi
    assert_eq "$(segment_id)" "$id" 'segment after the restart'
    assert_contains "$(peer hello=later take=1)" ' first 6 '
    stop_daemon
    assert_eq "$(count_log '^shmd: epoch .* begins')" 1 'epochs'
    touch "$TEST_DIR/enough"
    wait "$peer_pid"
    judge_nothing_left
}

# What a subscriber acknowledged is logged, and nothing else; it is never left waiting. To a daemon
# that has ended, and is not to come back to it, it acknowledges in vain.
scenario_subscriber() {
    local subscriber taken logged gone=false
    begin_ring
    start_disturbed
    arm
    spawn_peer subscriber hello=subscriber slowly=1000 take=5
    subscriber=$peer_pid
    within 100 is_over "$subscriber" || true
    disarm
    within "$patience_msec" is_over "$subscriber" || fail 'the subscriber is left waiting'
    wait_answer
    ! is_gone || gone=true
    judge_daemon
    taken=$(said subscriber | sed -n 's/^took \([0-9]*\) .*/\1/p')
    logged=$(acknowledged_records | wc -l)
    $gone || assert_eq "$logged" "$((${taken:-0} + 1))" 'acknowledgements in the log'
    ((logged <= ${taken:-0} + 1)) || fail "$logged acknowledgements in the log, and $taken taken"
}

# An anonymous acknowledgement is logged, be it later.
scenario_anonymous() {
    begin_plain
    start_disturbed
    arm
    acknowledge
    within 1000 grep -q 'acknowledged record 1 ' "$log" || true # it may fail to
    disarm
    if ! is_gone; then
        wait_log 'acknowledged record 1 '
    fi
    judge_daemon
}

has_answered() {
    is_gone || grep -q reload "$log"
}

reload() {
    begin_ring
    start_disturbed
    configure "$@"
    arm
    kill -HUP "$daemon"
    within 200 has_answered || true
    disarm
    # Whatever it has answered, it can be asked again.
    begin_ring
    if ! is_gone; then
        kill -HUP "$daemon"
        within "$patience_msec" eval 'is_gone || [[ $(tail -n 2 "$log") == *"reload done"* ]]' ||
            fail 'it cannot reload any more'
    fi
    judge_daemon
}

scenario_reload() {
    reload 'layout = "ring";' "size = $size;" 'owner = "";' 'group = "root";'
}

scenario_reload_with_another_size() {
    reload 'layout = "ring";' "size = $((2 * size));"
}

scenario_reload_with_another_key() {
    reload 'layout = "ring";' "size = $size;" 'key = 5679;'
}

scenario_reload_that_is_refused() {
    reload 'size = "large";'
}

# A stop ends with 0, whatever fails: it has nothing to take, only to give.
scenario_stop() {
    begin_ring
    start_disturbed
    spawn_peer subscriber hello=subscriber take=3 await="$TEST_DIR/enough"
    wait_said subscriber took
    within "$patience_msec" eval '(($(acknowledged_records | wc -l) == 3))' || fail 'not logged'
    arm
    stop_daemon
    judge_leaks
    # As long as somebody is attached, what was removed is still there.
    touch "$TEST_DIR/enough"
    wait
    judge_nothing_left
}

# What cannot be removed is in nobody's way.
scenario_stop_that_cannot_remove() {
    begin_plain
    start_disturbed
    arm
    stop_daemon
    judge_leaks
    judge_next_start
}

# --- the loop ---

tear_down_run() {
    local status=$?
    if [[ -n $daemon ]]; then
        kill -KILL "$daemon" 2>/dev/null || true
    fi
    touch "$TEST_DIR/enough"
    if ((status != 0)); then
        cat "$report" "$log"
        ipcrm --all=shm
    fi
}

# One run: each in a process, because it ends where it fails.
run() {
    local name=$1 fault=$2
    trap tear_down_run EXIT
    rm -rf "${RUNTIME_DIRECTORY:?}" "$TEST_DIR/enough"
    mkdir "$RUNTIME_DIRECTORY"
    : >"$log"
    : >"$report"
    printf 00 >"$control"
    disturbed=(env "LD_PRELOAD=$inject" "SHMD_FAULT=$fault" "SHMD_FAULT_CONTROL=$control"
        "SHMD_FAULT_REPORT=$report")
    "scenario_$name"
    touch "$TEST_DIR/enough"
    wait
    if grep -E 'Sanitizer|runtime error:' "$log"; then
        fail 'a sanitizer reported the above'
    fi
}

# each SCENARIO WHAT [+]
each() {
    local name=$1 what=$2 plus=${3:-} number status bad=() runs=0 count first
    shopt -s nullglob
    if [[ $what == allocations ]] && has_sanitizer; then
        skip 'AddressSanitizer has all allocations, and lets none fail'
    fi
    control=$TEST_DIR/control
    report=$TEST_DIR/report
    mkfifo "$TEST_DIR/never"
    exec {never}<>"$TEST_DIR/never"
    descriptors=''
    (run "$name" "$what:0") >"$TEST_DIR/said" 2>&1 || true
    descriptors=$(report_field descriptors)
    (run "$name" "$what:0") >"$TEST_DIR/said" 2>&1 || fail "undisturbed: $(cat "$TEST_DIR/said")"
    count=$(report_field counted)
    ((count > 0)) || fail 'nothing to fail'
    first=$((FIRST % (STEP < count ? STEP : count) + 1))
    for ((number = ${AT:-$first}; number <= ${AT:-$count}; number += STEP)); do
        set +e
        (
            set -e
            run "$name" "$what:$number$plus"
        ) >"$TEST_DIR/said" 2>&1
        status=$?
        set -e
        runs=$((runs + 1))
        if ((status != 0)); then
            bad+=("$number")
            printf -- '--- %s of %s, %s\n' "$number$plus" "$count" "$name"
            tail -n 25 "$TEST_DIR/said"
        fi
    done
    diagnose "$runs runs, of $count $what"
    : >"$log"
    assert_eq "${bad[*]}" '' 'runs that failed'
}

test_one_call_fails_in_a_start() {
    each start calls
}

test_calls_fail_from_one_on_in_a_start() {
    each start calls +
}

test_one_allocation_fails_in_a_start() {
    each start allocations
}

test_allocations_fail_from_one_on_in_a_start() {
    each start allocations +
}

test_one_call_fails_in_a_restart() {
    each adopt calls
}

test_calls_fail_from_one_on_in_a_restart() {
    each adopt calls +
}

test_one_allocation_fails_in_a_restart() {
    each adopt allocations
}

test_allocations_fail_from_one_on_in_a_restart() {
    each adopt allocations +
}

test_one_call_fails_in_a_session() {
    each subscriber calls
}

test_calls_fail_from_one_on_in_a_session() {
    each subscriber calls +
}

test_one_allocation_fails_in_a_session() {
    each subscriber allocations
}

test_allocations_fail_from_one_on_in_a_session() {
    each subscriber allocations +
}

test_one_call_fails_in_an_anonymous_acknowledgement() {
    each anonymous calls
}

test_calls_fail_from_one_on_in_an_anonymous_acknowledgement() {
    each anonymous calls +
}

test_one_allocation_fails_in_an_anonymous_acknowledgement() {
    each anonymous allocations
}

test_allocations_fail_from_one_on_in_an_anonymous_acknowledgement() {
    each anonymous allocations +
}

test_one_call_fails_in_a_reload() {
    each reload calls
}

test_calls_fail_from_one_on_in_a_reload() {
    each reload calls +
}

test_one_allocation_fails_in_a_reload() {
    each reload allocations
}

test_allocations_fail_from_one_on_in_a_reload() {
    each reload allocations +
}

test_one_call_fails_in_a_reload_with_another_size() {
    each reload_with_another_size calls
}

test_calls_fail_from_one_on_in_a_reload_with_another_size() {
    each reload_with_another_size calls +
}

test_one_allocation_fails_in_a_reload_with_another_size() {
    each reload_with_another_size allocations
}

test_allocations_fail_from_one_on_in_a_reload_with_another_size() {
    each reload_with_another_size allocations +
}

test_one_call_fails_in_a_reload_with_another_key() {
    each reload_with_another_key calls
}

test_calls_fail_from_one_on_in_a_reload_with_another_key() {
    each reload_with_another_key calls +
}

test_one_allocation_fails_in_a_reload_with_another_key() {
    each reload_with_another_key allocations
}

test_allocations_fail_from_one_on_in_a_reload_with_another_key() {
    each reload_with_another_key allocations +
}

test_one_call_fails_in_a_refused_reload() {
    each reload_that_is_refused calls
}

test_calls_fail_from_one_on_in_a_refused_reload() {
    each reload_that_is_refused calls +
}

test_one_allocation_fails_in_a_refused_reload() {
    each reload_that_is_refused allocations
}

test_allocations_fail_from_one_on_in_a_refused_reload() {
    each reload_that_is_refused allocations +
}

test_one_call_fails_in_a_stop() {
    each stop calls
}

test_calls_fail_from_one_on_in_a_stop() {
    each stop calls +
}

test_one_allocation_fails_in_a_stop() {
    each stop allocations
}

test_allocations_fail_from_one_on_in_a_stop() {
    each stop allocations +
}

test_a_stop_cannot_remove_the_segment() {
    each stop_that_cannot_remove shmctl_remove +
}

test_a_stop_cannot_remove_its_files() {
    each stop_that_cannot_remove unlink +
}

run_tests "$@"
