#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The service on a machine that has Debian's minimum and nothing else, and the starts that fail: once,
# whoever waits, and not again until somebody has mended the cause; while a daemon that was killed is
# started again, however often. These cases run as root in a container that `run` has booted for them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# journald's catalog: what systemd says when it begins to start a unit.
UNIT_STARTING=7d4958e842da4a758f6c1cdc7b36dcc5
UNIT_FAILED=d9b373ed55a64feb8242e02dbe79a49c
CLIENT_SECONDS=20 # a client that is still waiting then is not told at all
KILLS=22          # more than the 20 in 2 s that a socket unit would take
FREE_KILLS=10     # before pauses are longer

read_as_nobody() {
    assert_eq "$(as nobody shm-client --timeout "$CLIENT_SECONDS")" "$letters"
}

# drop_in LINE…
drop_in() {
    mkdir -p /etc/systemd/system/shmd.service.d
    printf '%s\n' '[Service]' "$@" >/etc/systemd/system/shmd.service.d/broken.conf
    systemctl daemon-reload
}

mend() {
    rm -rf /etc/systemd/system/shmd.service.d
    systemctl daemon-reload
    configure ''
}

count_starts() {
    count_entries "MESSAGE_ID=$UNIT_STARTING" UNIT=shmd.service
}

# The other cases would say nothing of a bare machine if this one had more.
test_nothing_else_is_installed() {
    local program
    for program in kill ps pgrep pkill sysctl sudo git gcc python3; do
        [[ -z $(type -P "$program") ]] || fail "there is $(type -P "$program")"
    done
}

test_start_read_stop() {
    systemctl start shmd
    read_as_nobody
    wait_for_entries 1 SHMD_EVENT=acknowledged
    systemctl stop shmd.service
    assert_eq "$(systemctl show --property=Result --value shmd)" success
    assert_eq "$(count_segments)" 0 'segments'
}

# When the command returns, it is done; one that is refused fails, and changes nothing.
test_reload() {
    local pid
    systemctl start shmd
    pid=$(main_pid)
    configure 'size = 60;'
    systemctl reload shmd
    assert_eq "$(segment_field 5678 size)" 60
    configure 'size = 61;' 'kee = true;'
    assert_exit 1 systemctl reload shmd
    assert_contains "$(values MESSAGE SHMD_EVENT=configuration-refused)" '/etc/shmd.conf:2: '
    assert_eq "$(systemctl is-active shmd) $(main_pid) $(segment_field 5678 size)" "active $pid 60"
    assert_eq "$(as nobody shm-client)" "$letters${letters:0:26}${letters:0:7}"
    configure 'size = 27;'
    systemctl reload shmd
    assert_eq "$(segment_field 5678 size)" 27
    assert_eq "$(main_pid)" "$pid"
}

# The template's unit, likewise.
test_reload_of_an_instance() {
    mkdir -p /etc/shmd
    echo 'key = 6000; size = 11;' >/etc/shmd/second.conf
    systemctl start shmd@second
    echo 'key = 6000; size = 12;' >/etc/shmd/second.conf
    systemctl reload shmd@second
    assert_eq "$(segment_field 6000 size)" 12
    echo 'size = 0;' >/etc/shmd/second.conf
    assert_exit 1 systemctl reload shmd@second
    assert_eq "$(systemctl is-active shmd@second)" active
}

# A daemon that is busy does it later, and "systemctl reload" waits for it.
test_reload_waits_for_a_busy_daemon() {
    local pid reload
    systemctl start shmd
    pid=$(main_pid)
    configure 'size = 60;'
    kill -STOP "$pid"
    systemctl reload shmd &
    reload=$!
    wait_until "grep -qE '^ShdPnd:.*1\$' /proc/$pid/status"
    assert_eq "$(systemctl show --property=SubState --value shmd)" reload
    assert_eq "$(segment_field 5678 size)" 27
    kill -CONT "$pid"
    wait "$reload"
    assert_eq "$(segment_field 5678 size)" 60
    assert_eq "$(systemctl show --property=SubState --value shmd)" running
}

# fails_once STATUS: a client connects to the socket, which starts the service. It is
# told, nothing is left that could start the service another time, and one command brings all back
# once it is mended.
fails_once() {
    local began=$SECONDS
    systemctl start shmd.socket
    assert_exit 3 as nobody timeout "$CLIENT_SECONDS" shm-client --key 5678
    [[ $output == shm-client:* ]] || fail "a client was told «$output»"
    diagnose "after about $((SECONDS - began)) s: $output"
    assert_gave_up "$1"
    assert_eq "$(count_starts)" 1 'starts'
}

assert_gave_up() {
    wait_until '[[ $(systemctl is-active shmd.socket) == inactive ]]'
    assert_eq "$(systemctl list-jobs --no-legend 'shmd.*' 'shmd@*' 'shmd-failed@*')" '' 'jobs'
    assert_failed_with "$1"
    ! peer status 2>/dev/null || fail 'somebody listens'
}

brought_back_by() {
    mend
    systemctl start "$1"
    read_as_nobody
    assert_eq "$(systemctl is-active shmd.service)" active
}

# What the unit asks for is not there: 226/NAMESPACE.
test_sandbox_that_cannot_be_set_up() {
    drop_in 'ExecPaths=/usr/bin/no-such-program'
    fails_once 226
    brought_back_by shmd.service
}

# 203/EXEC
test_program_that_is_not_there() {
    drop_in 'ExecStart=' 'ExecStart=/usr/sbin/no-such-program'
    fails_once 203
    brought_back_by shmd.socket
}

# 217/USER
test_user_that_is_not_there() {
    drop_in 'User=nobody-of-this-name'
    fails_once 217
    brought_back_by shmd.service
}

# A library that the program needs is gone: the loader ends it with 127.
test_library_that_is_not_there() {
    drop_in "InaccessiblePaths=$(ldd /usr/sbin/shmd | sed -nE 's/.*libconfig.* => ([^ ]*) .*/\1/p')"
    fails_once 127
    brought_back_by shmd.service
}

test_refused_configuration() {
    configure 'size = 1;'
    fails_once 78
    assert_contains "$output" 'shmd could not start: /etc/shmd.conf:1: size '
    assert_eq "$(count_entries SHMD_EVENT=configuration-refused)" 1 'entries'
    brought_back_by shmd.socket
}

# It is started by hand while a client waits, and has failed by itself before.
test_refused_configuration_by_hand() {
    configure 'size = 1;'
    assert_exit 1 systemctl start shmd
    assert_gave_up 78
    assert_exit 1 systemctl start shmd
    assert_gave_up 78
    assert_eq "$(count_starts)" 2 'starts'
    brought_back_by shmd.service
}

# Its clients have sessions, of the time before; they get on when it is mended.
test_restart_with_a_refused_configuration() {
    local follower
    configure 'layout = "ring"; size = 65536;'
    systemctl start shmd
    as nobody /shmd/programs/follower /run/shmd/shmd.sock steady "$TEST_DIR/enough" 1000 \
        >"$TEST_DIR/steady" &
    follower=$!
    wait_until "grep -q ^segment '$TEST_DIR/steady'"
    configure 'size = 1;'
    assert_exit 1 systemctl restart shmd
    assert_gave_up 78
    configure 'layout = "ring"; size = 65536;'
    systemctl start shmd
    wait_until '[[ $(peer status) == *"\"name\":\"steady\""* ]]'
    touch "$TEST_DIR/enough"
    wait "$follower"
}

test_foreign_segment() {
    as alice perl -e 'shmget(5678, 50, 01600) // die "shmget: $!\n"'
    fails_once 69
    assert_contains "$output" 'shmd could not start: ' "another user's segment"
    assert_eq "$(count_entries SHMD_EVENT=segment-foreign)" 1 'entries'
    ipcrm --all=shm
    brought_back_by shmd.service
}

# 77: the directory of the state file is not its own.
test_no_permission() {
    drop_in 'RuntimeDirectory=' 'Environment=RUNTIME_DIRECTORY=/run/not-ours' \
        'ExecStartPre=+/bin/mkdir -p -m 0700 /run/not-ours' 'ExecPaths=/bin'
    fails_once 77
    brought_back_by shmd.service
}

# 69: no waiting makes room for it.
test_size_beyond_the_machine() {
    configure 'size = 1099511627776;' 'allow_large = true;'
    fails_once 69
    assert_contains "$output" 'shmd could not start: no state in /run/shmd/' 'choose a smaller size'
    brought_back_by shmd.socket
}

# 71, which may pass: it is tried again, a while later each time, and whoever comes is told why.
test_lack_that_passes() {
    as alice perl -e '1 while defined shmget(0, 1, 0600)'
    systemctl start --no-block shmd
    wait_until '(($(systemctl show --property=NRestarts --value shmd) >= 2))'
    wait_until '(($(count_entries UNIT=shmd.service EXIT_STATUS=71) >= 2))'
    assert_exit 3 as nobody shm-client --key 5678
    assert_contains "$output" 'shmd could not start: no segment of 27 bytes ' SHMMNI
    ipcrm --all=shm
    wait_until '[[ $(systemctl is-active shmd) == active ]]'
    read_as_nobody
    assert_exit 1 test -e /run/shmd/shmd.failed
}

# What fails before the daemon runs, systemd would try again without a pause: there is an end of it.
test_failure_that_systemd_tries_again() {
    drop_in 'EnvironmentFile=/etc/default/no-such-file'
    systemctl start --no-block shmd
    wait_until '[[ $(systemctl is-active shmd) == failed ]]'
    assert_eq "$(systemctl list-jobs --no-legend 'shmd.*')" '' 'jobs'
    assert_contains "$(journalctl --since="@$since" --unit=shmd)" 'Start request repeated too quickly.'
    systemctl reset-failed shmd
    brought_back_by shmd.service
}

# The service goes with its socket.
test_restart_of_the_socket() {
    systemctl start shmd.socket
    read_as_nobody
    systemctl restart shmd.socket
    assert_eq "$(systemctl is-active shmd.socket)" active
    read_as_nobody
    assert_eq "$(systemctl is-active shmd.service)" active
}

# While it waits for its turn, it does not know the signal of a restart yet.
test_restart_before_it_is_ready() {
    install -d -o shmd -g shmd /run/shmd
    install -o shmd -g shmd -m 0600 /dev/null /run/shmd/shmd.starts
    truncate --size=13 /run/shmd/shmd.starts
    systemctl start shmd.socket
    systemctl start --no-block shmd
    wait_until '[[ $(systemctl show --property=StatusText --value shmd) == rests* ]]'
    systemctl restart shmd
    assert_eq "$(systemctl is-active shmd.socket shmd.service | paste -sd ' ')" 'active active'
    assert_eq "$(count_entries "MESSAGE_ID=$UNIT_FAILED" UNIT=shmd.service)" 0 'failures'
    read_as_nobody
}

# The other instance goes on, and it is the right socket that is closed.
test_instance_that_fails() {
    mkdir -p /etc/shmd
    echo 'size = 1;' >/etc/shmd/second.conf
    systemctl start shmd.socket shmd@second.socket
    assert_exit 3 as nobody timeout "$CLIENT_SECONDS" shm-client --socket /run/shmd/second.sock
    wait_until '[[ $(systemctl is-active shmd@second.socket) == inactive ]]'
    assert_eq "$(systemctl show --property=ExecMainStatus --value shmd@second)" 78
    assert_eq "$(systemctl is-active shmd.socket)" active
    read_as_nobody
    echo 'key = 6000;' >/etc/shmd/second.conf
    systemctl start shmd@second
    assert_eq "$(as nobody shm-client --instance second)" "$letters"
}

# SIGKILL, more often than any limit, while clients come all the time: each time the next one starts
# after a pause, which becomes longer, and its socket stays open.
test_killed_however_often() {
    local pid i began middle ended visitors
    configure 'layout = "ring"; size = 65536;'
    systemctl start shmd
    while [[ ! -e $TEST_DIR/enough ]]; do
        as nobody shm-client --timeout "$CLIENT_SECONDS" || echo "it failed: $?"
    done >"$TEST_DIR/visitors" 2>&1 &
    visitors=$!
    began=${EPOCHREALTIME/./}
    for ((i = 1; i <= KILLS; i++)); do
        pid=$(main_pid)
        kill -KILL "$pid"
        wait_until "[[ \$(main_pid) != $pid && \$(main_pid) != 0 ]]"
        wait_until '[[ $(systemctl is-active shmd) == active ]]'
        ((i != FREE_KILLS)) || middle=${EPOCHREALTIME/./}
    done
    ended=${EPOCHREALTIME/./}
    diagnose "$KILLS kills in $(((ended - began) / 1000)) ms, the first $FREE_KILLS in $(((middle - began) / 1000))"
    # By their pauses alone: 800 ms each, but for two.
    (((ended - middle) / 1000 >= (KILLS - FREE_KILLS - 3) * 800)) || fail 'the pauses do not grow'
    touch "$TEST_DIR/enough"
    wait "$visitors"
    assert_eq "$(sort -u "$TEST_DIR/visitors")" "$letters" 'what visitors got'
    assert_eq "$(systemctl show --property=NRestarts --value shmd)" "$KILLS" 'restarts'
    [[ -S /run/shmd/shmd.sock ]] || fail 'the socket is gone'
    (((${EPOCHREALTIME/./} - began) / 100000 >= KILLS)) || fail 'without a pause'
}

if [[ -z ${SHMD_TEST_CASE:-} ]]; then
    prepare_machine >&2
fi
run_tests "$@"
