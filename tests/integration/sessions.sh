#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The daemon's socket, as a client sees it that knows nothing but the protocol: how a session begins
# and ends, what the daemon does not take, and how many it takes.
set -euo pipefail
. "$(dirname "$0")/../peer.sh"

# Everything that has been refused or ended by the daemon.
count_refused() {
    count_log 'session [0-9]+ .* (refused|ended: )'
}

test_hello_and_welcome() {
    local layout number=1
    for layout in "$plain" "$ring"; do
        start_daemon "$layout"
        assert_eq "$(peer hello=me slowly=5000 take=3 | sed 's/; longest.*//')" \
            "welcome layout $number key 0x0000162e segment $(segment_id) size $(
                segment_field 5678 size) first 1 session 1
took 3 records, from 1"
        wait_log "session 1 \(uid $EUID, pid [0-9]+, calls itself me\) subscribed from record 1\$"
        wait_log "^shmd: $(id -un) \(uid $EUID, pid [0-9]+\) acknowledged record 1 \(26 bytes\) after "
        wait_log "session 1 \(uid $EUID, pid [0-9]+, calls itself me\) left\$"
        wait_until '(($(acknowledged_records | wc -l) == 3))'
        assert_eq "$(acknowledged_records | tr '\n' ' ')" '1 2 3 '
        stop_daemon
        : >"$log"
        number=2
    done
}

# The next one gets what is new to it: everything that is still held, or only what comes.
test_start() {
    local records
    start_daemon "$ring"
    assert_contains "$(peer hello=me take=5)" 'first 1 '
    assert_contains "$(peer hello=me)" 'first 6 '
    records=$(status_field records)
    assert_contains "$(peer next hello=me)" "first $((records + 1)) "
}

test_status() {
    local report
    start_daemon "$ring"
    spawn_peer crowd hello=first await="$TEST_DIR/enough"
    wait_said crowd welcome
    report=$(peer status)
    assert_contains "$report" '"instance":"shmd","layout":"ring","when_full":"wait"' \
        '"key":"0x0000162e"' "\"segment\":$(segment_id)," '"size":65536,"mode":"0644"' \
        '"acknowledged":0,"rejected":0,"subscribers":1,' \
        "\"pid\":$peer_pid,\"uid\":$EUID,\"gid\":$(id -g),\"name\":\"first\",\"acknowledged\":0," \
        '"lost":0,"lease_left_ms":'
    perl -MJSON::PP -e 'decode_json(join "", <STDIN>)' <<<"$report"
    assert_eq "$(sed -nE 's/.*"behind":([0-9]+).*/\1/p' <<<"$report")" \
        "$(sed -nE 's/.*"records":([0-9]+).*/\1/p' <<<"$report")" 'behind'
    assert_eq "$(grep -oE '"epoch":"[0-9a-f]{32}"' <<<"$report" | wc -l)" 1
    # A subscriber may ask, too, and as often as it wants.
    assert_eq "$(peer hello=asks status status status | grep -c '"subscribers":2,')" 3
}

# Totals are for everybody; sessions in detail for whose they are, and for the daemon's own user.
test_status_of_others() {
    need_other_users
    start_daemon "$ring"
    as_alice spawn_peer alice hello=hers await="$TEST_DIR/enough"
    wait_said alice welcome
    assert_contains "$(as_bob peer status)" '"subscribers":1,' '"sessions":[]'
    assert_contains "$(as_alice peer status)" '"uid":1000,"gid":1000,"name":"hers"'
    assert_contains "$(peer status)" '"uid":1000,"gid":1000,"name":"hers"'
}

# What a client calls itself drives no terminal and breaks no line.
test_names_are_made_harmless() {
    start_daemon "$ring"
    assert_contains "$(peer hello=$'a b\n\e[31m\xc3\xa4"%s' status)" '"name":"a_b__[31m__\"%s"'
    wait_log 'calls itself a_b__\[31m__"%s\) subscribed'
    # All of the field is the name, without a NUL at its end.
    assert_contains "$(peer hello=0123456789012345678901234567890123456789 status)" \
        '"name":"0123456789012345678901234567890"'
}

# Messages with descriptors, where they can be sent to the daemon: since Linux 6.16 they cannot.
with_descriptors() {
    [[ $(peer send=hello-with-descriptor) == *'not sent: EPERM'* ]] ||
        echo hello-with-descriptor status-with-descriptor
}

# Whatever is no message ends the session, is logged, and does not touch the others.
test_malformed_messages() {
    local kind refused
    start_daemon "$ring"
    start_honest
    for kind in empty one-byte text short long huge magic version type welcome size long-status \
        $(with_descriptors) role start; do
        refused=$(count_refused)
        output=$(peer send="$kind" answer ended | tr '\n' ' ')
        [[ $output =~ ^(closed|closed: ECONNRESET|refused EPROTO.*)' ended: ' ]] ||
            fail "«$kind» is answered with: $output"
        wait_until "((\$(count_refused) == $refused + 1))"
    done
    end_honest
}

# The same from a subscriber, whose page says that it is over.
test_malformed_messages_of_a_subscriber() {
    local kind refused
    start_daemon "$ring"
    start_honest
    for kind in empty one-byte text short magic type hello $(with_descriptors); do
        refused=$(count_refused)
        assert_contains "$(peer hello=bad send="$kind" ended)" 'ended: evicted'
        wait_until "((\$(count_refused) == $refused + 1))"
    done
    end_honest
}

# P3, at more acknowledgements than there may be entries (5000 at once): what a subscriber has
# acknowledged, and the bytes of it, is what the log says of it.
test_accounting_at_full_speed() {
    local layout name pid
    for layout in "$plain" "$ring"; do
        : >"$log"
        rm -f "$TEST_DIR/enough"
        followers=()
        start_daemon "$layout"
        for name in one two three; do
            spawn_follower "$name"
        done
        wait_until '(($(status_field acknowledged) > 20000))'
        end_followers
        stop_daemon
        for name in "${followers[@]}"; do
            pid=${name#*:}
            assert_eq "$(logged "$pid")" "$(got "${name%:*}")" "records logged of $name"
            assert_eq "$(sed -nE "s/.*pid $pid\) acknowledged .*\(([0-9]+) bytes.*/\1/p" "$log" |
                awk '{ sum += $1 } END { printf "%.0f\n", sum }')" \
                "$((26 * $(got "${name%:*}")))" "bytes logged of $name"
        done
    done
}

# A connection has a moment to say what it wants, and is then ended; a subscriber may be silent.
test_silent_connections() {
    start_daemon "$ring" "$long_lease"
    spawn_peer subscriber hello=silent await="$TEST_DIR/enough"
    wait_said subscriber welcome
    assert_eq "$(peer ended)" 'ended: no page'
    wait_log 'ended: it said nothing'
    assert_eq "$(count_log 'said nothing')" 1
    assert_eq "$(session_field silent acknowledged)" 0
}

# Who has asked for the status is not told to have said nothing, however long it stays.
test_status_is_not_silence() {
    local i actions=()
    start_daemon "$ring"
    for i in {1..30}; do
        actions+=(status await="$TEST_DIR/$i")
    done
    spawn_peer asker "${actions[@]}"
    for i in {1..30}; do
        sleep 0.1
        touch "$TEST_DIR/$i"
    done
    wait "$peer_pid"
    (($(grep -c '"layout"' "$TEST_DIR/asker.out") >= 1)) || fail "$(said asker)"
    assert_contains "$(said asker)" closed
    assert_eq "$(count_log 'said nothing')" 0 'entries'
}

# Who asks again and again, and reads no answer, has not left.
test_status_that_is_not_read() {
    local i actions=()
    start_daemon "$ring"
    for i in {1..1500}; do
        actions+=(send=status)
    done
    peer hello=asker "${actions[@]}" ended >/dev/null
    wait_log 'calls itself asker\) ended: it asked for the status again and again, and read no answer'
    assert_eq "$(count_log 'calls itself asker\) left')" 0
}

# limits.sessions: no more than that, of whomever; when one leaves, the next one gets in.
test_cap_of_all() {
    start_daemon "$ring" "$long_lease" 'limits = { sessions = 3; };'
    spawn_peer crowd hello=one crowd=2 await="$TEST_DIR/enough"
    wait_said crowd 'a crowd'
    assert_contains "$(peer answer)" 'refused EUSERS: too many sessions'
    wait_log 'refused: too many sessions'
    kill "$peer_pid"
    wait_until '[[ $(peer hello=me) == welcome* ]]'
}

# limits.sessions_per_user: one user cannot keep others out. Silent connections count as well.
test_cap_of_a_user() {
    local act
    need_other_users
    start_daemon "$ring" "$long_lease" 'limits = { sessions_per_user = 4; };'
    for act in crowd silent; do
        rm -f "$TEST_DIR/enough"
        wait_until "alice_is_refused $act"
        assert_contains "$(as_bob peer hello=his)" welcome
        assert_contains "$(peer hello=root crowd=6)" 'a crowd of 6'
        touch "$TEST_DIR/enough"
        wait "$peer_pid"
        wait_until '(($(status_field subscribers) == 0))'
    done
    wait_until '[[ $(as_alice peer hello=hers) == welcome* ]]'
}

# alice_is_refused WAY: when she has four connections. Silent ones have a moment, and on a machine that
# stands still it passes before she tries the fifth: then she begins anew.
alice_is_refused() {
    as_alice spawn_peer "$1" hello=hers "$1=3" crowd=1 await="$TEST_DIR/enough"
    wait_said "$1" 'a crowd of 1'
    if said "$1" | grep -q EUSERS; then
        return
    fi
    kill "$peer_pid"
    wait "$peer_pid" || true
    return 1
}

# Whoever is refused is told why, even if it has said HELLO before the daemon looked.
test_refusal_reaches_the_client() {
    local i
    start_daemon "$ring" "$long_lease" 'limits = { sessions = 1; };'
    spawn_peer first hello=first await="$TEST_DIR/enough"
    wait_said first welcome
    for i in {1..50}; do
        output=$(peer hello=late)
        [[ $output == *'refused EUSERS'* ]] || fail "refusal $i: $output"
    done
    kill -STOP "$daemon"
    spawn_peer late send=hello stop answer
    wait_stopped "$peer_pid" # it has said it
    kill -CONT "$daemon" "$peer_pid"
    wait "$peer_pid"
    assert_contains "$(said late)" 'refused EUSERS'
}

# Out of descriptors, the daemon goes on: accepts, and refuses at once; whoever is in stays in; and
# when some have left, others get in.
test_descriptor_reserve() {
    local i
    daemon_prefix=(prlimit --nofile=40)
    start_daemon "$ring" "$long_lease"
    spawn_peer crowd hello=honest crowd=30 silent=30 slowly=500 follow="$TEST_DIR/enough"
    wait_said crowd '30 connections'
    assert_contains "$(said crowd)" welcome
    (($(grep -cE '^(closed|refused)' "$TEST_DIR/crowd.out") > 15)) || fail "$(said crowd)"
    for i in {1..20}; do
        output=$(peer hello=late)
        [[ $output =~ ^(closed|refused|welcome|not sent) ]] || fail "client $i: $output"
    done
    kill "$peer_pid"
    wait_until '[[ $(peer hello=late take=5) == *"took 5 records"* ]]'
    start_honest
    end_honest
}

# The socket of a daemon that was started by hand: for everybody, gone after a stop; what a killed
# daemon left is no obstacle.
test_socket_file() {
    start_daemon "$ring"
    assert_eq "$(stat -c %F:%a "$RUNTIME_DIRECTORY/shmd.sock")" socket:666
    stop_daemon KILL
    assert_exit 1 peer hello=nobody
    assert_contains "$output" 'Connection refused'
    start_daemon_again
    assert_contains "$(peer hello=me take=1)" 'took 1 records'
    stop_daemon
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files left behind'
}

# Another daemon, of another key, does not take the socket away from one that lives: it does its work
# without, and says so.
test_socket_in_use() {
    local second=$TEST_DIR/second/shmd.conf first
    start_daemon "$ring"
    first=$daemon
    mkdir "$TEST_DIR/second"
    echo 'key = 6000;' >"$second"
    "$shmd" --config "$second" 2>>"$log" &
    wait_log "another daemon listens on $RUNTIME_DIRECTORY/shmd.sock"
    daemon=$!
    assert_contains "$(peer hello=me take=1)" 'key 0x0000162e'
    stop_daemon
    daemon=$first
    assert_contains "$(peer hello=me take=1)" 'key 0x0000162e'
}

# --socket names a place to listen; what is no socket is left alone, and nobody tries again.
test_socket_option() {
    configure "$ring"
    echo precious >"$TEST_DIR/file"
    mkdir "$TEST_DIR/directory"
    assert_exit 69 timeout "$PATIENCE_S" "$shmd" --config "$conf" --socket "$TEST_DIR/directory"
    assert_contains "$output" "no socket $TEST_DIR/directory: something else has that name"
    assert_exit 69 timeout "$PATIENCE_S" "$shmd" --config "$conf" --socket "$TEST_DIR/file"
    assert_eq "$(cat "$TEST_DIR/file")" precious
    assert_eq "$(count_segments)" 0
}

# Whoever removes its socket shuts nobody out for long.
test_socket_that_is_removed() {
    local socket=$RUNTIME_DIRECTORY/shmd.sock
    start_daemon
    rm "$socket"
    wait_log "socket $socket was removed by somebody else; it is made anew"
    assert_contains "$(peer hello=me take=1)" 'took 1 records'
    stop_daemon
    [[ ! -e $socket ]] || fail 'its socket is left behind'
}

# What another daemon has put in its place meanwhile stays that one's.
test_socket_that_another_daemon_has_now() {
    local first second
    start_daemon
    first=$daemon
    kill -STOP "$first"
    rm "$RUNTIME_DIRECTORY/shmd.sock"
    mkdir "$TEST_DIR/second"
    conf=$TEST_DIR/second/shmd.conf
    start_daemon 'key = 6000;'
    second=$daemon
    kill -CONT "$first"
    wait_log 'nobody can connect: another daemon listens there now'
    daemon=$first
    stop_daemon
    daemon=$second
    assert_contains "$(peer hello=me take=1)" 'key 0x00001770'
}

# assert_not_here SHELL-TEXT: a client in another IPC namespace, in which this has been done before
assert_not_here() {
    assert_exit 1 unshare --ipc "$BASH" -c "$1; exec \"\$@\"" - \
        "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --timeout "$PATIENCE_S"
    assert_contains "$output" "the daemon's segment is not here" 'another IPC namespace'
    assert_eq "$(count_log 'acknowledged record')" 0 'acknowledgements'
}

# A segment with the same identifier is somebody else's there: not a byte of it is read. Be it absent,
# smaller, of another key, or just like the daemon's own, because another daemon has made it.
test_another_ipc_namespace() {
    local layout size make other
    unshare --ipc true 2>/dev/null || skip 'no other IPC namespace: unshare --ipc is not permitted'
    make='perl -e "shmget(\$ARGV[0], \$ARGV[1], 01666) // die"'
    for layout in "$plain size = 5000;" "$ring"; do
        start_daemon "$layout"
        size=$(segment_field "$key" size)
        assert_not_here ':'
        assert_not_here "$make $key 1"
        assert_not_here "$make 6000 $size"
        [[ $layout == "$ring" ]] || sleep 1 # a plain one is told by the second in which it was made
        assert_not_here "$make $key $size"
        mkdir -p "$TEST_DIR/other"
        other="unset NOTIFY_SOCKET; export RUNTIME_DIRECTORY=$TEST_DIR/other
            $shmd --config $conf 2>/dev/null &
            trap 'kill \$!' EXIT; until [[ -S $TEST_DIR/other/shmd.sock ]]; do sleep 0.02; done
            \"\$@\"; exit"
        assert_not_here "$other"
        stop_daemon
    done
}

# PID 1 is busy for long, or somebody has filled its socket: from its start on, the daemon waits for
# nothing that it tells systemd.
test_systemd_does_not_read() {
    local deaf
    export NOTIFY_SOCKET=$TEST_DIR/deaf
    perl -MSocket -MIO::Handle -e '
        socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) &&
            socket(T, AF_UNIX, SOCK_DGRAM, 0) && connect(T, sockaddr_un($ARGV[0])) or die $!;
        T->blocking(0);
        1 while send T, "X=1", 0;
        print STDERR "full\n";
        sleep;
    ' "$NOTIFY_SOCKET" 2>"$TEST_DIR/deaf.said" &
    deaf=$!
    wait_until 'grep -q full "$TEST_DIR/deaf.said"'
    configure "$ring"
    spawn_daemon
    wait_until '[[ -S $RUNTIME_DIRECTORY/shmd.sock ]]'
    for _ in {1..5}; do
        assert_contains "$(peer hello=me take=3)" 'took 3 records'
    done
    assert_contains "$(peer status)" '"layout":"ring"'
    kill -HUP "$daemon"
    wait_log 'reload done'
    kill "$deaf" # and the daemon need not wait for it any more
    stop_daemon
}

# Socket activation: whoever connects first starts the daemon, and is served.
test_socket_activation() {
    local activate
    activate=$(command -v systemd-socket-activate) || skip 'systemd-socket-activate is not installed'
    configure "$ring"
    "$activate" --seqpacket --listen="$RUNTIME_DIRECTORY/shmd.sock" \
        --setenv="RUNTIME_DIRECTORY=$RUNTIME_DIRECTORY" "$shmd" --config "$conf" 2>>"$log" &
    daemon=$!
    wait_until '[[ -S $RUNTIME_DIRECTORY/shmd.sock ]]'
    assert_contains "$(peer hello=me take=3)" 'took 3 records'
    # It is not the daemon's to remove: systemd goes on listening.
    stop_daemon
    [[ -S $RUNTIME_DIRECTORY/shmd.sock ]] || fail 'the socket was removed'
}

run_tests "$@"
