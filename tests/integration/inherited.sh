#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the daemon inherits: in whatever state it is started, it serves, is reloaded and stopped, and
# what it starts inherits none of it. (test-process has each kind by itself.)
#
# What wait_until looks at, shellcheck does not see:
# shellcheck disable=SC2034
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

read_record() {
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --timeout "$PATIENCE_S"
}

# spoiled COMMAND…: started as by someone who has spoiled all that can be
spoiled() {
    exec perl -e '
        use POSIX;
        $SIG{$_} = "IGNORE" for qw(CHLD HUP TERM INT USR1 ALRM PIPE);
        sigprocmask(SIG_SETMASK, POSIX::SigSet->new(1 .. 31));
        umask 0777;
        alarm 1;
        $^F = 1000;
        open $left[$_], "<", "/dev/null" for 0 .. 20;
        exec @ARGV;
    ' "$@"
}

# Bits of a signal mask in /proc/PID/status: mask FIELD
mask() {
    sed -nE "s/^$1:[[:space:]]*//p" "/proc/$daemon/status"
}

# The state file is opened first: its number must not be that of standard error.
test_closed_standard_descriptors() {
    local before
    configure 'mode = "0644";'
    ready_before=$(count_ready)
    "$shmd" --config "$conf" <&- >&- 2>&- &
    daemon=$!
    wait_until '(($(count_ready) > ready_before)) || ! daemon_runs'
    for _ in {1..3}; do
        read_record >>"$TEST_DIR/read"
    done
    before=$("$shm_client" status --json --socket "$RUNTIME_DIRECTORY/shmd.sock" | grep -o '"epoch":"[^"]*"')
    stop_daemon USR1
    start_daemon_again
    assert_contains "$("$shm_client" status --json --socket "$RUNTIME_DIRECTORY/shmd.sock")" "$before"
    assert_eq "$(count_log 'damaged')" 0
}

test_all_that_can_be_spoiled() {
    local began=$SECONDS
    configure 'mode = "0644"; size = 200;' 'source = { type = "command"; command = ["/bin/sh", "-c",
        "grep -E ^Sig[BI] /proc/self/status; umask; ls /proc/self/fd | wc -l"]; };'
    ready_before=$(count_ready)
    spoiled "$shmd" --config "$conf" 2>>"$log" &
    daemon=$!
    wait_until '(($(count_ready) > ready_before)) || ! daemon_runs'
    wait_until '[[ $(segment_read) == Sig* ]]'
    # What it runs: nothing blocked or ignored (but for the two signals that glibc has for itself), and
    # no descriptor but its standard ones and that of ls.
    assert_eq "$(read_record | sed s/180000000/000000000/ | tr -s '[:space:]' ' ')" \
        'SigBlk: 0000000000000000 SigIgn: 0000000000000000 0077 4 '
    wait_until "((SECONDS - $began > 1))" # the alarm
    # PIPE, XFSZ
    assert_eq "$(mask SigIgn | sed -E 's/0000000[01][089](1001000)/000000000\1/')" 0000000001001000
    [[ ! -e /proc/$daemon/fd/22 ]] || fail 'it holds what it was left'
    configure 'mode = "0644"; size = 50;'
    reload_daemon
    assert_eq "$(segment_field 5678 size)" 50
    stop_daemon
}

# As one would leave it who was passed descriptors, and has closed them.
test_descriptors_that_are_not_there() {
    local nonsense
    configure 'mode = "0644";'
    for nonsense in LISTEN_FDS=3 LISTEN_FDS=abc LISTEN_FDS=99999 'LISTEN_FDS=1 LISTEN_FDNAMES=a:b'; do
        ready_before=$(count_ready)
        bash -c 'export LISTEN_PID=$$ '"$nonsense"'; exec "$@"' bash "$shmd" --config "$conf" 2>>"$log" &
        daemon=$!
        wait_until '(($(count_ready) > ready_before)) || ! daemon_runs'
        [[ -n $(read_record) ]]
        stop_daemon
    done
    assert_eq "$(count_log '^shmd: LISTEN_FDS and LISTEN_FDNAMES are not of this process')" 4
}

# As PID 1 all are its children whose parents have ended; else those that it had before exec(3).
test_no_zombies() {
    local prefix started zombies='[[ -z $(grep -l "^State:.*Z (" $(sed -E "s,([0-9]+) ?,/proc/\1/status ,g" \
        "/proc/$daemon/task/$daemon/children") /dev/null 2>/dev/null) ]]'
    configure 'mode = "0644"; size = 20;' 'source = { type = "command"; command = ["/bin/sh", "-c",
        "setsid sleep 0.02 >/dev/null 2>&1 & setsid sleep 0.05 >/dev/null 2>&1 & echo done"]; };'
    for prefix in 'sleep 0.01 & exec env' 'exec unshare --pid --fork --kill-child'; do
        if [[ $prefix == *unshare* ]]; then
            unshare --pid --fork true 2>/dev/null || skip 'no PID namespace: unshare --pid is not permitted'
        fi
        ready_before=$(count_ready)
        (eval "$prefix" '"$shmd"' --config '"$conf"' '2>>"$log"') &
        started=$!
        daemon=$started
        wait_until '(($(count_ready) > ready_before)) || ! daemon_runs'
        if [[ $prefix == *unshare* ]]; then
            read -r daemon <"/proc/$started/task/$started/children" || true
        fi
        for _ in {1..5}; do
            assert_eq "$(read_record)" 'done'
        done
        wait_until "$zombies"
        kill -TERM "$daemon"
        daemon=''
        wait "$started"
    done
}

run_tests "$@"
