#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The source "command", with the real daemon: one run for each record, and no process is left.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

read_record() {
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --timeout "$PATIENCE_S"
}

# start SCRIPT SETTING…: a shell script is the command; it runs in $TEST_DIR
start() {
    printf '%s\n' "$1" >"$TEST_DIR/script"
    start_daemon 'mode = "0644"; size = 100;' "source = { type = \"command\";
        command = [\"/bin/sh\", \"$TEST_DIR/script\"]; directory = \"$TEST_DIR\"; ${*:2} };"
}

# Processes that run the script, or what it has started with the case's directory as an argument.
left() {
    processes_with "$TEST_DIR/script"
}

# "one run for each refill", when it is asked for
test_one_run_for_each_record() {
    # shellcheck disable=SC2016
    start 'echo >>runs; printf "run %d" $(wc -l <runs)'
    assert_eq "$(read_record)" 'run 1'
    assert_eq "$(read_record)" 'run 2'
    assert_eq "$(read_record)" 'run 3'
    wait_until '[[ $(segment_read) == "run 4"* ]]'
    assert_eq "$(wc -l <"$TEST_DIR/runs")" 4
}

# "argument list, no shell; environment and working directory from the configuration"
test_arguments_environment_directory() {
    export SHMD_SECRET=1
    start_daemon 'mode = "0644"; size = 300;' "source = { type = \"command\";
        directory = \"$TEST_DIR\"; environment = [\"PATH=/usr/bin:/bin\", \"A=b c\"];" \
        'command = ["/bin/sh", "-c", "pwd; env; echo \"[$0] [$1]\"", "$(id) * `id`", ""]; };'
    wait_until '[[ $(segment_read) == /* ]]'
    local text
    text=$(read_record)
    # shellcheck disable=SC2016
    assert_contains "$text" "$TEST_DIR"$'\n' 'A=b c' 'PATH=/usr/bin:/bin' '[$(id) * `id`] []'
    [[ $text != *SHMD_SECRET* && $text != *NOTIFY_SOCKET* ]] || fail "inherited: $text"
}

# Each way to fail is said, with a pause; then it may come right.
test_failures() {
    # shellcheck disable=SC2016
    start 'read what <do; echo "$what here" >&2; . ./do-$what' 'timeout_ms = 3600000;'
    wait_log 'source command: .*(cannot open|No such file)'
    try exit 'echo half; exit 3' '/bin/sh exited with status 3'
    try signal 'kill -KILL $$' 'ended by signal 9 \(SIGKILL\)'
    sed -i 's/timeout_ms = 3600000/timeout_ms = 300/' "$conf"
    try time 'sleep 1000' 'took longer than source.timeout_ms allows, 300 ms'
    sed -i 's/timeout_ms = 300/timeout_ms = 3600000/' "$conf"
    # shellcheck disable=SC2016
    try flood 'while :; do echo 0123456789; done' 'record of [0-9]+ bytes rejected'
    try nothing '' 'record of 0 bytes rejected: it is empty'
    try star 'echo "*"' "rejected: it begins with"
    try nul 'printf "a\0b"' 'rejected: it contains a NUL'
    try fine 'printf fine' ''
    assert_eq "$(read_record)" fine
    assert_eq "$(read_record)" fine
    wait_until '[[ -z $(left) ]]'
}

# try NAME SCRIPT ENTRY: with the next run
try() {
    printf '%s\n' "$2" >"$TEST_DIR/do-$1"
    echo "$1" >"$TEST_DIR/do.new"
    mv "$TEST_DIR/do.new" "$TEST_DIR/do"
    reload_daemon # ends the pause
    wait_log "source command: $1 here"
    [[ -z $3 ]] || wait_log "$3"
    daemon_runs || fail 'the daemon has ended'
}

test_output_limit() {
    start 'while :; do echo 0123456789; done' 'output_max = 50;'
    wait_log 'wrote more than source.output_max allows, 50 bytes'
    wait_until '[[ -z $(left) ]]'
}

# The pauses: a command that always fails is not run all the time. Between ten runs lie pauses of 0, 10,
# 20, … and 1280 ms.
test_failing_all_the_time() {
    local from passed
    from=$(now_msec)
    start 'echo >>runs; exit 1'
    wait_until '[[ -e $TEST_DIR/runs ]] && (($(wc -l <"$TEST_DIR/runs") >= 10))'
    passed=$(($(now_msec) - from))
    ((passed >= 2500)) || fail "10 runs in $passed ms"
}

test_not_there() {
    start_daemon "source = { type = \"command\"; command = [\"/no/such/program\"]; };"
    wait_log 'yields no record: /no/such/program: No such file or directory'
    configure "source = { type = \"command\"; command = [\"/etc/passwd\"]; };"
    reload_daemon
    wait_log '/etc/passwd: Permission denied'
    configure "source = { type = \"command\"; command = [\"/bin/true\"]; directory = \"/no/such\"; };"
    reload_daemon
    wait_log 'yields no record: /no/such: No such file or directory'
}

# "No orphan": stop, reload and timeout end whatever it has started.
test_no_process_is_left() {
    local how
    for how in stop reload timeout; do
        echo 'trap "" HUP TERM INT; while :; do sleep 1; done' >"$TEST_DIR/script-child"
        start "sh $TEST_DIR/script-child $TEST_DIR/script & sh $TEST_DIR/script-child & wait" \
            "timeout_ms = $([[ $how == timeout ]] && echo 2000 || echo 60000);"
        wait_until '(($(left | wc -l) >= 2))'
        case $how in
        stop) stop_daemon ;;
        reload)
            configure 'mode = "0644"; size = 100;'
            reload_daemon
            ;;
        timeout) wait_log 'took longer' ;;
        esac
        if [[ $how == timeout ]]; then
            configure 'mode = "0644"; size = 100;'
            reload_daemon
        fi
        wait_until '[[ -z $(left) ]]'
        [[ $how == stop ]] || stop_daemon
        : >"$log"
    done
}

# What it says comes line by line, and as text.
test_standard_error() {
    # shellcheck disable=SC2016
    start 'i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; printf "\033[2J\n" >&2; printf ok'
    assert_eq "$(read_record)" ok
    wait_log 'source command: line 0$'
    wait_log 'source command: line 1$'
    if grep -q $'\033' "$log"; then
        fail 'an escape sequence in the log'
    fi
}

# A run that takes long holds up nobody but those who wait for its record.
test_a_slow_run_holds_up_nobody() {
    start 'sleep 1000' 'timeout_ms = 100000;'
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" status >/dev/null
    reload_daemon
    stop_daemon
}

run_tests "$@"
