# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What an integration test has at hand: the real daemon, alone with its segment.
#
# Each case (tap.sh) runs in an IPC namespace of its own: it sees only segments that it made, and no
# other case, let alone the machine, sees those. Root makes one as it is; others need a user
# namespace for it, and are root in there. Where there is none (in a chroot), root may make one for the
# whole script, and say so with SHMD_PRIVATE_IPC: then a case removes what the one before has left.
# Otherwise the cases are skipped.
#
# A case finds in $TEST_DIR: $conf, the configuration; $log, what the daemon wrote on standard
# error; $RUNTIME_DIRECTORY, where its state file lies; $notify, what it told its service manager.
# $shmd and $shm_client are copies there, because other users may not reach the build directory.
#
# Much here is for the scripts only:
# shellcheck disable=SC2034,SC2119,SC2120

top_srcdir=${top_srcdir:-$(dirname "${BASH_SOURCE[0]}")/..}
top_builddir=${top_builddir:-$top_srcdir}
# shellcheck source=tests/tap.sh
. "$top_srcdir/tests/tap.sh"
# shellcheck source=tests/segments.sh
. "$top_srcdir/tests/segments.sh"

if [[ -n ${SHMD_PRIVATE_IPC:-} ]]; then
    isolation=()
elif unshare --ipc true 2>/dev/null; then
    isolation=(unshare --ipc)
elif unshare --user --map-root-user --ipc true 2>/dev/null; then
    isolation=(unshare --user --map-root-user --ipc)
else
    cannot_isolate='no private IPC namespace: neither unshare --ipc nor --user --ipc is permitted'
fi

# Two other users, to stand before a command; only real root can become them (need_other_users).
alice=(setpriv --reuid=1000 --regid=1000 --clear-groups)
bob=(setpriv --reuid=1001 --regid=1001 --clear-groups)
# … and one for daemons that hand out descriptors: what a user has in flight on sockets is counted
# together, and attackers of other scripts take alice's part at the same time.
dave=(setpriv --reuid=1004 --regid=1004 --clear-groups)

# For settings. A lease that somebody lets run out while an honest subscriber is there: she keeps it
# where she is not given a processor for a long moment, too. And one that is longer than any case.
short_lease='lease_ms = 3000;'
long_lease='lease_ms = 86400000;'

# A failed case shows the daemon's log.
show_log_if_failed() {
    local status=$?
    if ((status != 0 && status != 77)); then
        echo '--- log'
        tail -n 40 "$TEST_DIR/log"
    fi
}

set_up() {
    local program
    trap show_log_if_failed EXIT
    conf=$TEST_DIR/shmd.conf
    log=$TEST_DIR/log
    notify=$TEST_DIR/notified
    daemon=''
    daemon_prefix=()
    : >"$log"
    : >"$notify"
    [[ -z ${SHMD_PRIVATE_IPC:-} ]] || ipcrm --all=shm
    mkdir "$TEST_DIR/bin"
    for program in shmd shm-client; do
        [[ -x $top_builddir/$program ]] || fail "no $top_builddir/$program: build it, and set top_builddir"
        cp "$top_builddir/$program" "$TEST_DIR/bin/"
    done
    shmd=$TEST_DIR/bin/shmd
    shm_client=$TEST_DIR/bin/shm-client

    unset JOURNAL_STREAM WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS LISTEN_PID SHMD_INSTANCE
    export RUNTIME_DIRECTORY=$TEST_DIR/run
    export NOTIFY_SOCKET=$TEST_DIR/notify
    mkdir "$RUNTIME_DIRECTORY"
    listen_for_notifications
}

# No case passes over a report of a sanitizer, nor over a daemon that does not end when told to.
tear_down() {
    if [[ -n $daemon ]]; then
        stop_daemon
    fi
    if grep -E 'Sanitizer|runtime error:' "$log"; then
        fail 'a sanitizer reported the above'
    fi
}

# Plays the service manager: each datagram to NOTIFY_SOCKET becomes lines in $notify.
listen_for_notifications() {
    perl -MSocket -e '
        socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die "$ARGV[0]: $!";
        chmod 0777, $ARGV[0];
        $| = 1;
        print "$datagram\n" while defined recv(S, $datagram, 65536, 0);
    ' "$NOTIFY_SOCKET" >>"$notify" &
    wait_until '[[ -S $NOTIFY_SOCKET && $(stat -c %a "$NOTIFY_SOCKET") == 777 ]]'
}

count_ready() {
    grep -c '^READY=1$' "$notify" || true
}

# Is the daemon still there? A zombie is not.
daemon_runs() {
    grep -q '^State:.*[^Z] (' "/proc/$daemon/status" 2>/dev/null
}

# processes_with TEXT: the ids of all processes that have it in their command line. (Not every machine
# has procps.)
processes_with() {
    local file words
    for file in /proc/[0-9]*/cmdline; do
        words=()
        { mapfile -d '' -t words <"$file"; } 2>/dev/null || true # it has ended meanwhile
        if [[ ${words[*]} == *"$1"* ]]; then
            cut -d / -f 3 <<<"$file"
        fi
    done
}

# configure LINE…: the daemon's configuration, as a whole at once; no line means all defaults
configure() {
    printf '%s\n' "$@" >"$conf.new"
    mv "$conf.new" "$conf"
}

# start_daemon LINE…: configures and starts the daemon, and waits until it is ready
start_daemon() {
    configure "$@"
    start_daemon_again
}

# The same with the configuration that is there. "${daemon_prefix[@]}" may name another user.
start_daemon_again() {
    spawn_daemon
    wait_until '(($(count_ready) > ready_before)) || ! daemon_runs'
    daemon_runs || fail 'the daemon did not start'
}

spawn_daemon() {
    ready_before=$(count_ready)
    "${daemon_prefix[@]}" "$shmd" --config "$conf" 2>>"$log" &
    daemon=$!
}

# stop_daemon [SIGNAL [EXPECTED-STATUS]]: ends the daemon and checks how it ended (0, or by KILL)
stop_daemon() {
    local signal=${1:-TERM} expected=${2:-0} status=0 pid=$daemon
    if [[ $signal == KILL ]]; then
        expected=137
    fi
    daemon=''
    kill "-$signal" "$pid"
    # The shell would tell about the killed job.
    wait "$pid" 2>/dev/null || status=$?
    assert_eq "$status" "$expected" "exit status after SIG$signal"
}

# Until each thread of a process waits for something, and is not only about to.
wait_asleep() {
    wait_until "! grep -L '^State:.*S (' /proc/$1/task/*/status | grep -q ."
}

# Until a process has stopped itself.
wait_stopped() {
    wait_until "grep -q '^State:.*T (' /proc/$1/status"
}

# Sends SIGHUP and waits until the daemon has answered it, either way.
reload_daemon() {
    ready_before=$(count_ready)
    kill -HUP "$daemon"
    wait_until '(($(count_ready) > ready_before))'
    daemon_runs || fail 'the daemon ended instead of reloading'
}

wait_log() {
    wait_until "grep -qE -- '$1' '$log'"
}

count_log() {
    grep -cE -- "$1" "$log" || true
}

# The numbers of all records whose acknowledgement was logged, one on each line, in order of log.
acknowledged_records() {
    sed -nE -e 's/.* acknowledged record ([0-9]+) .*/\1 \1/p' \
        -e 's/.* acknowledged records ([0-9]+)-([0-9]+) .*/\1 \2/p' "$log" |
        awk '{ for (number = $1; number <= $2; number++) { printf "%d\n", number } }'
}

# A segment that is not the daemon's: make_segment KEY SIZE [MODE [COMMAND-PREFIX…]]
make_segment() {
    "${@:4}" perl -e 'shmget($ARGV[0], $ARGV[1], 01000 | 02000 | oct $ARGV[2]) // die "shmget: $!\n"' \
        "$1" "$2" "${3:-0666}"
}

need_other_users() {
    "${alice[@]}" true 2>/dev/null || skip 'needs root: takes the part of other users'
}
