#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shm-client: every exit status, every output format, every error line; with a session and by key.
# And the contract that it shares with programs that know nothing of shmd: the originals, made anew
# in C and in Perl.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# A /run of our own: the machine may have a daemon that listens there.
if [[ ${TMPDIR:-/tmp} != /run* ]] && "${isolation[@]}" --mount mount -t tmpfs tmpfs /run 2>/dev/null; then
    isolation+=(--mount sh -c 'mount -t tmpfs tmpfs /run && RUN_IS_OURS=yes exec "$@"' sh)
fi

originals=$top_builddir/tests/integration
ring='layout = "ring"; size = 4096;'

# Starts an original server, and waits for its record.
start_server() {
    "$originals/original-server" &
    server=$!
    wait_until '[[ -n $(segment_id) && $(segment_read) == "$letters." ]]'
}

# A segment with this text and nobody who serves it: make_record TEXT [SIZE [MODE]]
make_record() {
    make_segment "$key" "${2:-27}" "${3:-0666}"
    segment_write "$key" 0 "$1"
}

# The same, and somebody has it attached, as a server would: nobody gives up because it is alone.
make_served_record() {
    make_record "$@"
    perl -MIPC::SysV=shmat,SHM_RDONLY -e \
        'shmat($ARGV[0], undef, SHM_RDONLY) or die "shmat: $!\n"; sleep' "$(segment_id)" &
    server=$!
    wait_until '(($(segment_field "$key" nattch) == 1))'
}

# assert_output EXPECTED COMMAND…: succeeds, prints exactly that, and nothing on standard error
assert_output() {
    local expected=$1 status=0
    shift
    "$@" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" 0 "exit status of «$*» with «$(cat "$TEST_DIR/stderr")»"
    printf '%b' "$expected" | cmp - "$TEST_DIR/stdout" || fail "«$*» printed the above"
    assert_eq "$(cat "$TEST_DIR/stderr")" '' 'standard error'
}

# assert_error STATUS LINE COMMAND…: fails with that status, one line on standard error that matches
# the pattern, and nothing on standard output
assert_error() {
    local expected=$1 line=$2 status=0
    shift 2
    "$@" >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" "$expected" "exit status of «$*» with «$(cat "$TEST_DIR/stderr")»"
    assert_eq "$(cat "$TEST_DIR/stdout")" '' 'standard output'
    assert_eq "$(wc -l <"$TEST_DIR/stderr")" 1 'lines on standard error'
    # shellcheck disable=SC2053
    [[ $(cat "$TEST_DIR/stderr") == "shm-client: "$line ]] ||
        fail "the error is «$(cat "$TEST_DIR/stderr")», expected «$line»"
}

# The client, at the socket of this case's daemon.
client() {
    "$shm_client" "$@" --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# The same in the background, its output in $TEST_DIR/stdout and stderr, its process in $client.
spawn_client() {
    : >"$TEST_DIR/stdout"
    "$shm_client" "$@" --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/stdout" \
        2>"$TEST_DIR/stderr" &
    client=$!
}

# How it ended: wait_client EXPECTED-STATUS
wait_client() {
    local status=0
    wait "$client" || status=$?
    assert_eq "$status" "$1" "exit status, with «$(tail -n 3 "$TEST_DIR/stderr")»"
}

# The numbers of the records that the client wrote as JSON lines.
numbers() {
    grep -o '"number":[0-9]*' "$TEST_DIR/stdout" | cut -d : -f 2
}

first_number() {
    numbers | sed -n 1p
}

last_number() {
    numbers | tail -n 1
}

# How many records these lines call lost.
lost_records() {
    grep -o '"lost":[0-9]*' "$TEST_DIR/stdout" | cut -d : -f 2 | awk '{ sum += $1 } END { print sum }'
}

# Each record was written once, in order, or is called lost.
assert_accounted() {
    numbers | sort -nuc || fail 'not in order'
    assert_eq "$(($(wc -l <"$TEST_DIR/stdout") + $(lost_records)))" \
        "$(($(last_number) - $(first_number) + 1))" 'written and lost'
}

# wait_records N: until the client has written so many
wait_records() {
    wait_until "((\$(wc -l <'$TEST_DIR/stdout') >= $1))"
}

# assert_in_order FIRST: what the client wrote begins there and goes on without gap or repetition
assert_in_order() {
    numbers | awk -v expected="$1" '$1 != expected { print "not " expected ": " $1; exit 1 }
        { expected++ }' || fail 'a record is missing or repeated'
}

# The user in the daemon's log, as an extended regular expression: identity USER-NAME UID PID
identity() {
    printf '%s' "shmd: $1 \\(uid $2, pid $3\\)"
}

# --- with the originals ---

test_client_and_original_server() {
    start_server
    assert_output "$letters\\n" "$shm_client"
    wait "$server"
    assert_eq "$(segment_read)" '*bcdefghijklmnopqrstuvwxyz.'
}

test_original_client_and_original_server() {
    start_server
    assert_output "$letters\\n" "$originals/original-client"
    wait "$server"
}

test_perl_client_and_original_server() {
    start_server
    assert_output "$letters\\n" perl -e '
        my $id = shmget(5678, 27, 0666) // die "shmget: $!\n";
        shmread($id, my $record, 0, 27) or die "shmread: $!\n";
        print $record =~ s/\0.*//sr, "\n";
        shmwrite($id, "*", 0, 1) or die "shmwrite: $!\n"'
    wait "$server"
}

# Its calls attach the segment only for a moment each.
test_client_and_perl_server() {
    perl -e '
        my $id = shmget(5678, 27, 01000 | 0666) // die "shmget: $!\n";
        for my $record (qw(first second third)) {
            shmwrite($id, substr($record, 1), 1, 26) or die "shmwrite: $!\n";
            shmwrite($id, substr($record, 0, 1), 0, 1) or die "shmwrite: $!\n";
            do {
                select(undef, undef, undef, 0.005);
                shmread($id, $_, 0, 1) or die "shmread: $!\n";
            } until $_ eq "*";
        }' &
    server=$!
    wait_until '[[ -n $(segment_id) ]]'
    assert_output 'first\nsecond\nthird\n' "$shm_client" --count 3
    wait "$server"
}

# A hundred original clients in a row, each as soon as there is a record: a hundred log lines.
test_hundred_original_clients_and_shmd() {
    local i
    start_daemon
    for ((i = 1; i <= 100; i++)); do
        wait_until '[[ $(segment_read) == "$letters." ]]'
        assert_eq "$("$originals/original-client")" "$letters"
    done
    wait_until '(($(acknowledged_records | wc -l) >= 100))'
    acknowledged_records >"$TEST_DIR/numbers"
    seq 100 | diff - "$TEST_DIR/numbers" || fail 'the numbers are not gap-free'
}

# --- with shmd ---

test_read_acknowledges() {
    start_daemon
    "$shm_client" >"$TEST_DIR/stdout" &
    client=$!
    wait "$client"
    assert_eq "$(cat "$TEST_DIR/stdout")" "$letters"
    wait_log "anonymous client \(pid $client, unverified\) acknowledged record 1 \(26 bytes\)"
    wait_until '[[ $(segment_read) == "$letters." ]]'
}

# Each record once, and never one that is only half there.
test_many_records_one_by_one() {
    start_daemon 'poll_interval_ms = 1;'
    "$shm_client" --count 200 >"$TEST_DIR/stdout"
    assert_eq "$(sort "$TEST_DIR/stdout" | uniq -c | tr -s ' ')" " 200 $letters"
    wait_until '(($(acknowledged_records | wc -l) == 200))'
}

test_key_from_configuration() {
    start_daemon 'key = 0x1234abcd;'
    assert_output "$letters\\n" "$shm_client" peek --config "$conf"
    assert_output "$letters\\n" "$shm_client" peek --key 0x1234abcd
    assert_output "$letters\\n" "$shm_client" peek -k 305441741
    # The key on the command line is the one that counts.
    assert_error 3 'no segment with key 0x00000001:*' "$shm_client" -c "$conf" -k 1
}

# assert_client_went_on SINCE: it got its record, although the daemon was away since then; unless that
# was for so long that it may give up
assert_client_went_on() {
    local away status=0
    away=$(($(now_msec) - $1))
    wait "$client" || status=$?
    if ((status == 3 && away >= 1000)); then
        inconclusive "the daemon was away for $away ms"
        return
    fi
    assert_eq "$status" 0 "exit status, with the daemon away for $away ms"
    assert_eq "$(cat "$TEST_DIR/stdout")" "$letters"
}

# The wait goes on while systemd would restart the daemon, for a second.
test_daemon_killed_while_waiting() {
    local from
    start_daemon
    wait_until '[[ $(segment_read) == "$letters." ]]'
    stop_daemon KILL
    acknowledge
    from=$(now_msec)
    "$shm_client" --timeout "$PATIENCE_S" >"$TEST_DIR/stdout" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 1))'
    start_daemon_again
    assert_client_went_on "$from"
}

# … and a second in which it could not look is none.
test_daemon_killed_while_stopped() {
    local from
    start_daemon 'poll_interval_ms = 60000;'
    acknowledge
    "$shm_client" --timeout "$PATIENCE_S" >"$TEST_DIR/stdout" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 2))'
    kill -STOP "$client"
    sleep 1.1
    stop_daemon KILL
    from=$(now_msec)
    kill -CONT "$client"
    start_daemon
    assert_client_went_on "$from"
}

test_daemon_stopped_while_waiting() {
    start_daemon 'poll_interval_ms = 60000;'
    acknowledge
    "$shm_client" 2>"$TEST_DIR/stderr" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 2))'
    stop_daemon
    status=0
    wait "$client" || status=$?
    assert_eq "$status" 3
    assert_contains "$(cat "$TEST_DIR/stderr")" 'shm-client: nobody any more serves the segment'
}

# Reading is for everyone, where the mode says so; acknowledging is not.
test_other_user_may_only_read() {
    need_other_users
    start_daemon 'mode = "0644";'
    assert_error 1 '*0x0000162e does not let this user acknowledge: read it with --no-ack*' \
        "${alice[@]}" "$shm_client"
    assert_output "$letters\\n" "${alice[@]}" "$shm_client" --no-ack
    assert_output "$letters\\n" "${alice[@]}" "$shm_client" peek
    assert_contains "$("${alice[@]}" "$shm_client" status)" '0644'
    assert_eq "$(segment_read)" "$letters."
}

test_other_user_may_not_read() {
    local verb
    need_other_users
    start_daemon 'mode = "0600";'
    for verb in read peek status; do
        assert_error 1 '*0x0000162e does not let this user read it: *' \
            "${alice[@]}" "$shm_client" "$verb"
    done
}

# --- with a session ---

test_session_is_verified() {
    local settings
    for settings in '' 'mode = "0644";' "$ring" "$ring when_full = \"overwrite\";"; do
        start_daemon "$settings"
        spawn_client
        wait_client 0
        assert_eq "$(cat "$TEST_DIR/stdout")" "$letters" "record with «$settings»"
        # Where the newest wins, it begins with the newest.
        wait_log "calls itself shm-client\) subscribed from record $([[ $settings == *overwrite* ]] && echo '[0-9]+' || echo 1)\$"
        wait_log "$(identity "$(id -un)" "$EUID" "$client") acknowledged record [0-9]+ \(26 bytes\)"
        assert_eq "$(count_log unverified)" 0
        stop_daemon
        : >"$log"
    done
}

# What an anonymous client may not: acknowledge where it can only read.
test_session_of_another_user() {
    local pid
    need_other_users
    start_daemon 'mode = "0644";'
    chmod 755 "$RUNTIME_DIRECTORY"
    pid=$("${alice[@]}" sh -c 'echo $$; exec "$@" >/dev/null' sh "$shm_client" --name 'a b' \
        --socket "$RUNTIME_DIRECTORY/shmd.sock")
    wait_log "\(uid 1000, pid $pid\) acknowledged record 1 "
    wait_log 'calls itself a_b\) subscribed'
}

test_default_socket() {
    [[ -n ${RUN_IS_OURS:-} ]] || skip 'needs a /run of its own'
    mkdir /run/shmd
    RUNTIME_DIRECTORY=/run/shmd
    start_daemon
    assert_output "$letters\\n" "$shm_client"
    wait_log 'acknowledged record 1 '
    # The file of the daemon names its socket, too, and its key says that this is the one.
    assert_output "$letters\\n" "$shm_client" --config "$conf"
    assert_output "$letters\\n" "$shm_client" --key "$key"
    wait_log 'acknowledged record 3 '
    assert_eq "$(count_log unverified)" 0
    assert_contains "$("$shm_client" status)" 'subscribers:    0'
    # Another segment than the daemon's.
    make_segment 42 27
    segment_write 42 0 'other'
    assert_output 'other\n' "$shm_client" --key 42
    assert_contains "$("$shm_client" status --key 42)" 'key:            0x0000002a' 'record:'
    assert_eq "$(count_log 'subscribed')" 3
}

test_instance_socket() {
    [[ -n ${RUN_IS_OURS:-} ]] || skip 'needs a /run of its own'
    mkdir /run/shmd
    RUNTIME_DIRECTORY=/run/shmd
    conf=$TEST_DIR/orders.conf
    start_daemon 'key = 77;'
    [[ -S /run/shmd/orders.sock ]] || fail 'the daemon is not at orders.sock'
    assert_output "$letters\\n" "$shm_client" --instance orders
    assert_output "$letters\\n" "$shm_client" --config "$conf"
    wait_log 'acknowledged record 2 '
    assert_eq "$(count_log unverified)" 0
}

test_fallback_without_a_socket() {
    start_daemon
    assert_output "$letters\\n" client --key "$key"
    wait_log "$(identity "$(id -un)" "$EUID" '[0-9]+') acknowledged record 1 "
    stop_daemon USR1
    # None; and one that nobody listens on.
    assert_error 3 "no daemon listens on $RUNTIME_DIRECTORY/shmd.sock: is shmd running? (systemctl status shmd)" client
    start_daemon_again
    assert_output "$letters\\n" "$shm_client" --socket "$RUNTIME_DIRECTORY/none.sock" --key "$key"
    wait_log 'unverified\) acknowledged record 2 '
    perl -MSocket -e 'socket(S, AF_UNIX, SOCK_SEQPACKET, 0) && bind(S, sockaddr_un($ARGV[0])) or die' \
        "$RUNTIME_DIRECTORY/deaf.sock"
    assert_output "$letters\\n" "$shm_client" --socket "$RUNTIME_DIRECTORY/deaf.sock" --config "$conf"
    wait_log 'unverified\) acknowledged record 3 '
    assert_error 3 'no daemon listens on *' "$shm_client" --socket "$RUNTIME_DIRECTORY/deaf.sock"
}

# The service's start has failed, and whoever comes is told why.
test_why_nobody_serves() {
    # shellcheck disable=SC2016
    daemon_prefix=(sh -c 'SYSTEMD_EXEC_PID=$$ exec "$@"' -)
    configure 'size = "1M";'
    assert_exit 78 "${daemon_prefix[@]}" "$shmd" --config "$conf"
    assert_error 3 "no daemon listens on $RUNTIME_DIRECTORY/shmd.sock: shmd could not start: $conf:1: size *" \
        client
    configure
    start_daemon_again
    stop_daemon
    assert_error 3 '*is shmd running?*' client
}

# Of several services, the one that the configuration is of.
test_why_an_instance_does_not_serve() {
    local verb
    [[ -n ${RUN_IS_OURS:-} ]] || skip 'needs a /run of its own'
    mkdir /run/shmd
    echo 'key = 77;' >"$TEST_DIR/orders.conf"
    echo 'the main one is broken' >/run/shmd/shmd.failed
    echo 'orders is broken' >/run/shmd/orders.failed
    for verb in read status publish; do
        assert_contains "$("$shm_client" "$verb" --config "$TEST_DIR/orders.conf" 2>&1 </dev/null)" \
            'shmd could not start: orders is broken'
    done
    rm /run/shmd/*.failed
    assert_contains "$("$shm_client" publish --config "$TEST_DIR/orders.conf" 2>&1 </dev/null)" \
        '(systemctl status shmd@orders)'
    assert_contains "$("$shm_client" publish --instance shmd 2>&1 </dev/null)" '(systemctl status shmd)'
}

test_anonymous_on_request() {
    start_daemon
    assert_output "$letters\\n" "$shm_client" --anonymous --key "$key"
    wait_log 'anonymous client \(pid [0-9]+, unverified\) acknowledged record 1 '
    assert_output "$letters\\n" "$shm_client" --no-ack --key "$key"
    assert_eq "$(count_log subscribed)" 0
}

test_session_refused() {
    need_other_users
    start_daemon 'allow = { subscribe = "root"; };'
    chmod 755 "$RUNTIME_DIRECTORY"
    assert_error 1 'the daemon does not let this user subscribe: *' \
        "${alice[@]}" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock"
    start_another() {
        stop_daemon
        start_daemon "$@"
    }
    start_another 'limits = { sessions = 1; };'
    start_holder
    assert_error 1 'the daemon has too many sessions: *' client
    kill -KILL "$holder"
    # Nor does it take the record without one.
    start_another 'limits = { sessions = 16; sessions_per_user = 1; };'
    "${alice[@]}" "$shm_client" follow --from next --name the-only-one \
        --socket "$RUNTIME_DIRECTORY/shmd.sock" >/dev/null &
    wait_log 'calls itself the-only-one\) subscribed'
    assert_error 1 'the daemon has too many sessions: *' \
        "${alice[@]}" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --key "$key"
    kill $!
    assert_eq "$(count_log unverified)" 0
    start_another 'mode = "0600";'
    assert_error 1 "the daemon's socket, or its segment, is not for this user: *" \
        "${alice[@]}" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# As by key: a record that nobody got is not acknowledged. And a closed standard output is not
# somebody else's descriptor.
test_session_output_fails() {
    local status settings
    for settings in '' "$ring"; do
        start_daemon "$settings"
        status=0
        client >/dev/full 2>"$TEST_DIR/stderr" || status=$?
        assert_eq "$status" 1
        assert_contains "$(cat "$TEST_DIR/stderr")" 'cannot write the record' 'not acknowledged'
        status=0
        client >&- 2>"$TEST_DIR/stderr" || status=$?
        assert_eq "$status" 1
        status=0
        client status >&- 2>"$TEST_DIR/stderr" || status=$?
        assert_eq "$status" 1
        assert_contains "$(client --output json)" '"number":1,'
        assert_eq "$(count_log 'message that is none')" 0
        stop_daemon
    done
}

test_ring_one_by_one() {
    local i
    start_daemon "$ring"
    for i in 1 2 3 4 5; do
        assert_output "{\"key\":\"0x0000162e\",\"segment\":$(segment_id),\"number\":$i,\"lost\":0,$(
            )\"length\":26,\"text\":\"$letters\"}\\n" client --output json
    done
    wait_until '(($(acknowledged_records | wc -l) == 5))'
}

# --from: what is held, or what comes.
test_from() {
    start_daemon "$ring"
    assert_contains "$(client --output json --from oldest)" '"number":1,'
    assert_contains "$(client follow --count 1 --output json --from oldest)" '"number":2,'
    client --output json --from next >"$TEST_DIR/stdout"
    (($(numbers) > 40)) || fail "$(cat "$TEST_DIR/stdout")"
}

test_session_timeout() {
    start_daemon "$long_lease"
    stop_daemon USR1
    # A record that is never acknowledged by the other session: nothing new comes for us.
    start_daemon_again
    spawn_client follow --from oldest --count 1
    wait_client 0
    start_holder
    assert_error 4 'no new record is there now: *' client --from next --timeout 0
    assert_error 4 'no new record within 0.2 s: *' client follow --from next --timeout 0.2
    kill -KILL "$holder"
}

# A session that owes an acknowledgement and says nothing: $holder
start_holder() {
    local before
    before=$(count_log subscribed)
    mkfifo "$TEST_DIR/full"
    exec 7<>"$TEST_DIR/full"
    # Its output is a pipe that is full.
    dd if=/dev/zero of="$TEST_DIR/full" bs=65536 count=1 2>/dev/null
    client follow --from oldest >"$TEST_DIR/full" &
    holder=$!
    wait_until "((\$(count_log subscribed) > $before))"
}

# --- follow ---

test_follow_count() {
    local settings
    for settings in '' "$ring" "$ring when_full = \"overwrite\";"; do
        start_daemon "$settings"
        spawn_client follow --from oldest --count 1000 --output json
        wait_client 0
        assert_eq "$(wc -l <"$TEST_DIR/stdout")" 1000
        assert_in_order 1
        wait_until '(($(acknowledged_records | wc -l) == 1000))'
        assert_contains "$(client status)" 'acknowledged:   1000'
        stop_daemon
        : >"$log"
    done
}

# What was written is acknowledged, and nothing else is.
test_follow_ends_by_signal() {
    local signal
    start_daemon "$ring"
    for signal in INT TERM HUP; do
        : >"$TEST_DIR/stdout" # of the one before: what follows waits for this one's
        # A background job of a script has SIGINT ignored.
        perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$shm_client" follow --output json \
            --from oldest --socket "$RUNTIME_DIRECTORY/shmd.sock" \
            >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" &
        client=$!
        wait_records 1000
        kill "-$signal" "$client"
        wait_client 0
        assert_contains "$(client status)" "acknowledged:   $(last_number)"
    done
}

# … also while nobody takes what it has begun to write, which is not acknowledged then.
test_follow_ends_by_signal_in_the_midst() {
    local pid
    start_daemon "$ring"
    mkfifo "$TEST_DIR/fifo"
    exec 9<>"$TEST_DIR/fifo"
    "$shm_client" follow --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/fifo" 2>"$TEST_DIR/stderr" &
    pid=$!
    wait_until "grep -q pipe /proc/$pid/wchan"
    kill -TERM "$pid"
    assert_exit_of "$pid" 1
    assert_contains "$(cat "$TEST_DIR/stderr")" 'stopped while standard output took no more: '
}

test_follow_by_key() {
    start_daemon 'poll_interval_ms = 1;'
    assert_output "$letters\\n$letters\\n$letters\\n" "$shm_client" follow --anonymous --count 3
    wait_log 'unverified\) acknowledged record 3 '
    assert_error 4 'no new record within 0.2 s: *' "$shm_client" follow --no-ack --from next --timeout 0.2
}

test_follow_while_the_daemon_is_killed() {
    local settings i
    for settings in '' "$ring" "$ring when_full = \"overwrite\";"; do
        start_daemon "$settings"
        spawn_client follow --from oldest --output json
        for i in 1 2 3; do
            wait_records $((i * 500))
            stop_daemon KILL
            start_daemon_again
        done
        wait_records "$(($(wc -l <"$TEST_DIR/stdout") + 500))"
        kill "$client"
        wait_client 0
        assert_eq "$(cat "$TEST_DIR/stderr")" ''
        assert_in_order 1
        stop_daemon
        : >"$log"
    done
}

# Stopped while the daemon is killed, and others go on with the next one.
test_follow_is_left_behind_by_a_killed_daemon() {
    start_daemon "$ring"
    spawn_client follow --output json
    wait_records 10
    kill -STOP "$client"
    stop_daemon KILL
    start_daemon_again
    client follow --from oldest --count 10000 >/dev/null
    kill -CONT "$client"
    wait_until '[[ -s $TEST_DIR/stderr ]]'
    # If it had not acknowledged all that it had read, it is evicted: the lease was over.
    if grep -q 'evicted' "$TEST_DIR/stderr"; then
        wait_client 5
        return
    fi
    wait_records "$(($(wc -l <"$TEST_DIR/stdout") + 10))"
    kill "$client"
    wait_client 5
    assert_accounted
    (($(lost_records) > 9000)) || fail "lost $(lost_records)"
}

test_daemon_goes_away() {
    local status
    start_daemon 'mode = "0644";'
    start_holder
    spawn_client follow --from next --timeout 5
    wait_log 'pid '"$client"', .* subscribed'
    stop_daemon KILL
    wait_client 3
    assert_contains "$(cat "$TEST_DIR/stderr")" 'nobody any more serves the segment with key 0x0000162e'
    start_daemon_again
    spawn_client follow
    wait_log 'pid '"$client"', .* subscribed'
    stop_daemon
    # Without --timeout it goes on waiting; told to end, it says that all was acknowledged, or not.
    sleep 0.3
    kill -0 "$client" || fail 'it has ended'
    start_daemon_again
    wait_until '(($(count_log "pid $client, .* subscribed") >= 2))'
    kill "$client"
    wait_client 0
}

# What there is too little of is named, and whose limit that is.
test_few_descriptors() {
    local limit refused=0
    start_daemon "$ring"
    for limit in {5..12}; do
        if ! output=$(ulimit -n "$limit" && client 2>&1); then
            assert_contains "$output" 'this program may have no more files open' 'ulimit -n'
            refused=$((refused + 1))
        fi
    done
    ((refused > 0 && refused < 8)) || fail "refused $refused times"
}

test_evicted() {
    local settings
    for settings in '' "$ring"; do
        start_daemon "$settings $short_lease"
        spawn_client follow --output json
        wait_records 10
        kill -STOP "$client"
        wait_log 'evicted: it acknowledged nothing'
        kill -CONT "$client"
        wait_client 5
        assert_contains "$(cat "$TEST_DIR/stderr")" 'shm-client: evicted: '
        assert_in_order "$(first_number)"
        stop_daemon
        : >"$log"
    done
}

# What is printed and what is said to be lost is all there was.
test_records_lost() {
    local lost
    start_daemon "$ring when_full = \"overwrite\";"
    spawn_client follow --from oldest --output json
    wait_records 10
    kill -STOP "$client"
    client follow --count 1000 >/dev/null
    kill -CONT "$client"
    wait_until '[[ -s $TEST_DIR/stderr ]]'
    wait_records "$(($(wc -l <"$TEST_DIR/stdout") + 10))"
    kill "$client"
    wait_client 5
    lost=$(sed -nE 's/^shm-client: ([0-9]+) records? lost before record .*/\1/p' "$TEST_DIR/stderr" |
        awk '{ sum += $1 } END { print sum }')
    assert_eq "$(first_number)" 1
    assert_accounted
    assert_eq "$(lost_records)" "$lost" 'lost, in the output'
    wait_log 'was overtaken and lost [0-9]+ record'
}

test_progress_on_a_terminal() {
    local text
    command -v script >/dev/null || skip 'needs script(1) for a terminal'
    start_daemon
    start_holder
    text=$(TERM=xterm script -qec "$shm_client follow --no-ack --key $key --from oldest --timeout 2 >/dev/null" \
        /dev/null </dev/null) || true
    assert_contains "$text" $'\r1 record, 26 B, '
    # It is gone before anything else is said, without a sequence that not each terminal understands;
    # and the last count stays.
    [[ $text =~ (' 1 record'|'records')/s$'\r'\ +$'\rshm-client: no new record within 2 s: '.*$'\r\n\r1 record, 26 B' ]] ||
        fail "$(cat -v <<<"$text")"
    [[ $text != *$'\e'* ]] || fail "$(cat -v <<<"$text")"
    # One that is narrow, as much as it has room for: it would go to the next line, again and again.
    text=$(TERM=xterm script -qec "stty cols 20; $shm_client follow --no-ack --key $key --from oldest \
        --timeout 1 >/dev/null" /dev/null </dev/null) || true
    [[ $text == *$'\r1 record, 26 B, '??[^e]* && $text != *records/s* ]] || fail "$(cat -v <<<"$text")"
    # A terminal on which nothing can be written over gets no such line.
    text=$(TERM=dumb script -qec "$shm_client follow --no-ack --key $key --from oldest --timeout 1 >/dev/null" \
        /dev/null </dev/null) || true
    assert_eq "$text" $'shm-client: no new record within 1 s: see shm-client status, or wait longer with --timeout SECONDS\r'
    # Not for somebody who reads the errors from a file, nor for a single record.
    spawn_client follow --count 100000
    sleep 0.5
    kill "$client"
    assert_eq "$(cat "$TEST_DIR/stderr")" ''
}

# on_a_terminal COMMAND: what it says on its standard error goes to the typescript
on_a_terminal() {
    command -v script >/dev/null || skip 'needs script(1) for a terminal'
    TERM=xterm script -qfc "$1" "$TEST_DIR/typescript" </dev/null >/dev/null &
}

# In a line of its own, whatever stood there before.
assert_told() {
    wait_until "tr '\r' '\n' <'$TEST_DIR/typescript' | grep -q '^shm-client: the daemon is $1'"
}

# Who looks at a terminal is told why nothing comes, …
test_absence_on_a_terminal() {
    start_daemon "$ring"
    on_a_terminal "$shm_client follow --socket $RUNTIME_DIRECTORY/shmd.sock >/dev/null"
    wait_log subscribed
    stop_daemon KILL
    assert_told away
    start_daemon_again
    assert_told back
}

# … and why nothing goes.
test_absence_on_a_publishers_terminal() {
    start_daemon "$ring" 'source = { type = "push"; };'
    mkfifo "$TEST_DIR/input"
    on_a_terminal "$shm_client publish --socket $RUNTIME_DIRECTORY/shmd.sock $TEST_DIR/input"
    exec {input}>"$TEST_DIR/input"
    echo 1 >&"$input"
    wait_until "grep -q '1 record' '$TEST_DIR/typescript'"
    stop_daemon KILL
    assert_told away
    start_daemon_again
    assert_told back
    exec {input}>&-
}

# --- a ring by key ---

test_ring_by_key() {
    start_daemon "$ring"
    "$shm_client" peek --count 5 --output json >"$TEST_DIR/stdout"
    assert_in_order 1
    assert_contains "$("$shm_client" --no-ack --output json)" '"number":1,"lost":0,'
    assert_output "$letters\\n$letters\\n" "$shm_client" --anonymous --count 2
    assert_error 3 "no daemon's socket is there, and the ring with key 0x0000162e *" "$shm_client"
    assert_error 4 'no new record within 0.2 s: *' "$shm_client" peek --from next --timeout 0.2
    # Nobody has heard of all this.
    assert_contains "$(client status)" 'acknowledged:   0' 'subscribers:    0'
    assert_eq "$(count_log subscribed)" 0
}

# While a session drives the source: no record twice, and every loss is counted.
test_ring_by_key_loses() {
    start_daemon "$ring"
    client follow --from oldest >/dev/null &
    follower=$!
    "$shm_client" peek --count 20000 --output json >"$TEST_DIR/stdout" \
        2>"$TEST_DIR/stderr" || assert_eq "$?" 5
    kill "$follower"
    assert_accounted
}

test_ring_by_key_while_the_daemon_changes() {
    start_daemon "$ring"
    spawn_follower() {
        : >"$TEST_DIR/stdout" # of the one before
        "$shm_client" follow --anonymous --from oldest >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" &
        client=$!
    }
    spawn_follower
    wait_records 40
    stop_daemon
    wait_client 3
    assert_contains "$(cat "$TEST_DIR/stderr")" 'nobody any more serves the segment'
    # A state that is lost: another ring in the same segment.
    start_daemon_again
    spawn_follower
    wait_records 40
    stop_daemon KILL
    rm "$RUNTIME_DIRECTORY"/*.state
    start_daemon_again
    wait_client 3
}

test_ring_of_another_version() {
    make_segment "$key" 4096
    segment_write "$key" 0 "$(printf 'shmdring\x09')"
    assert_error 1 'the segment with key 0x0000162e is a ring of another version: *' "$shm_client"
}

# --- reading, without anybody who serves the segment ---

test_peek_and_no_ack_change_nothing() {
    make_record "$letters"
    assert_output "$letters\\n" "$shm_client" peek
    assert_output "$letters\\n" "$shm_client" --no-ack
    assert_output "$letters\\n" "$shm_client" read --no-ack
    assert_eq "$(segment_read)" "$letters."
    assert_output "$letters\\n" "$shm_client" read
    assert_eq "$(segment_read)" '*bcdefghijklmnopqrstuvwxyz.'
}

# A refill that is under way: byte 0 is still `*`, and what stands behind it is nobody's business.
test_waits_for_a_refill_under_way() {
    make_served_record "*$letters" 99
    "$shm_client" --timeout "$PATIENCE_S" >"$TEST_DIR/stdout" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 2))'
    segment_write "$key" 1 'ecor'
    sleep 0.2
    assert_eq "$(cat "$TEST_DIR/stdout")" ''
    perl -e 'shmwrite($ARGV[0], "ecord\0", 1, 6); shmwrite($ARGV[0], "r", 0, 1)' "$(segment_id)"
    wait "$client"
    assert_eq "$(cat "$TEST_DIR/stdout")" 'record'
    assert_eq "$(segment_read | head -c 6)" '*ecord'
}

# Without an acknowledgement, the next record is one that differs.
test_peek_waits_for_another_record() {
    make_served_record 'first'
    "$shm_client" peek --count 2 --timeout "$PATIENCE_S" >"$TEST_DIR/stdout" &
    client=$!
    wait_until '[[ $(cat "$TEST_DIR/stdout") == first ]]'
    segment_write "$key" 0 'other'
    wait "$client"
    assert_eq "$(cat "$TEST_DIR/stdout")" $'first\nother'
    assert_eq "$(segment_read | head -c 6)" 'other.'
}

test_timeout() {
    local start
    make_served_record '*'
    assert_error 4 'no new record is there now: wait for one with --timeout SECONDS' \
        "$shm_client" --timeout 0
    start=${EPOCHREALTIME/[.,]/}
    assert_error 4 'no new record within 1.25 s: *--timeout SECONDS' "$shm_client" -t 1.25
    ((${EPOCHREALTIME/[.,]/} - start >= 1250000)) || fail 'the wait was too short'
    assert_eq "$(segment_read | head -c 1)" '*'
}

# One record is there, and not two: the first one is printed and acknowledged all the same.
test_timeout_for_each_record() {
    local status=0
    make_record "$letters"
    "$shm_client" --count 2 --timeout 0 >"$TEST_DIR/stdout" 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" 4
    assert_eq "$(cat "$TEST_DIR/stdout")" "$letters"
    assert_contains "$(cat "$TEST_DIR/stderr")" 'no new record'
    assert_eq "$(segment_read)" '*bcdefghijklmnopqrstuvwxyz.'
}

# Why nothing comes: the client that waits says it, as the status and systemd's line do.
test_source_that_fails() {
    local cause="$TEST_DIR/flags: No such file or directory"
    start_daemon 'mode = "0644"; source = {' "type = \"file\"; path = \"$TEST_DIR/flags\"; };"
    assert_error 4 "no new record: the source of the daemon has none since 20*Z: $cause" \
        client --timeout 0.1
    assert_contains "$(client status)" 'source:         file' "source error:   $cause" \
        'source fails since: 20' 'uptime:' 'lease:          10000 ms' 'allow subscribe: *' 'version:'
    assert_contains "$(client status --json)" '"source":"file","source_fails_since":"20' \
        "Z\",\"source_error\":\"$cause\""
    wait_until "grep -q '^STATUS=source file yields no record: $cause; plain, ' '$notify'"
    echo now >"$TEST_DIR/flags"
    assert_eq "$(client --timeout "$PATIENCE_S")" now
    [[ $(client status) != *'source error'* ]] || fail "$(client status)"
    # As it is called, and not as a document has it.
    configure 'mode = "0644"; source = {' "type = \"file\"; path = \"$TEST_DIR/a\\\"b\\\\c\"; };"
    reload_daemon
    client --timeout "$PATIENCE_S" >/dev/null
    wait_until '[[ $(client status) == *"source error:   $TEST_DIR/a\"b\\c: No such file"* ]]'
    assert_error 4 "*Z: $TEST_DIR/a\"b\\\\c: No such file or directory" client --timeout 0.1
    configure 'mode = "0644"; source = {' "type = \"file\"; path = \"$TEST_DIR/flags\"; };"
    reload_daemon
    client --timeout "$PATIENCE_S" >/dev/null
    wait_until "tail -n 3 '$notify' | grep -q '^STATUS=plain, '"
}

# What systemctl shows is how it is, a second later at most, whoever has come and gone; after a reload
# at once.
test_status_for_systemd() {
    start_daemon "$ring"
    client --from oldest --count 100 >/dev/null
    wait_until "grep '^STATUS=' '$notify' | tail -n 1 | grep -q ' 100 acknowledged, .* 0 subscribers'"
    spawn_client follow --from next --timeout "$PATIENCE_S"
    wait_until "grep '^STATUS=' '$notify' | tail -n 1 | grep -q ' 1 subscriber$'"
    kill "$client"
    wait "$client" || true
    configure "$ring" 'key = 6001;'
    reload_daemon
    assert_contains "$(grep '^STATUS=' "$notify" | tail -n 1)" 'key 0x00001771'
}

test_no_segment() {
    local verb
    for verb in read peek status; do
        assert_error 3 'no segment with key 0x0000002a: is shmd running? (systemctl status shmd)' \
            "$shm_client" "$verb" --key 42
    done
    assert_eq "$(count_segments)" 0
}

test_nobody_serves_the_segment() {
    make_record '*'
    assert_error 3 'nobody any more serves the segment with key 0x0000162e: is shmd running?*' \
        "$shm_client" --timeout "$PATIENCE_S"
}

test_segment_removed_while_waiting() {
    local status=0
    make_served_record '*'
    "$shm_client" --timeout "$PATIENCE_S" 2>"$TEST_DIR/stderr" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 2))'
    ipcrm -M "$key"
    wait "$client" || status=$?
    assert_eq "$status" 3
    assert_contains "$(cat "$TEST_DIR/stderr")" 'is shmd running?'

    # By a daemon, which goes on under the same key.
    start_daemon "$ring"
    "$shm_client" follow --no-ack --key "$key" 2>"$TEST_DIR/stderr" >/dev/null &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 2))'
    configure "$ring" 'mode = "0600"; when_full = "overwrite";'
    reload_daemon
    assert_exit_of "$client" 3
    assert_contains "$(cat "$TEST_DIR/stderr")" "another segment has taken the place of the one with key"
}

# --- output ---

test_formats() {
    make_record "$letters"
    assert_output "$letters\\n" "$shm_client" peek --output text
    assert_output "$letters" "$shm_client" peek --output raw
    assert_output '6162636465666768696a6b6c6d6e6f707172737475767778797a\n' \
        "$shm_client" peek --output hex
    assert_output "{\"key\":\"0x0000162e\",\"segment\":$(segment_id),\"length\":26,$(
        )\"text\":\"$letters\"}\\n" "$shm_client" peek -o json
}

test_json_escapes() {
    make_record $'say "\\" \t\n\e[1m \xc3\xaf \xe2\x82\xac' 40
    assert_output "{\"key\":\"0x0000162e\",\"segment\":$(segment_id),\"length\":21,$(
        )\"text\":\"say \\\\\"\\\\\\\\\\\\\" \\\\t\\\\n\\\\u001b[1m \\xc3\\xaf \\xe2\\x82\\xac\"}\\n" \
        "$shm_client" peek --output json
}

test_json_of_what_is_not_utf8() {
    make_record $'a\xff\xe2\x82'
    assert_output "{\"key\":\"0x0000162e\",\"segment\":$(segment_id),\"length\":4,$(
        )\"hex\":\"61ffe282\"}\\n" "$shm_client" peek --output json
}

# A file or a pipe gets the bytes as they are; a terminal gets nothing that could drive it.
test_control_characters() {
    command -v script >/dev/null || skip 'needs script(1) for a terminal'
    make_record $'\e]0;title\a\tb'
    assert_output '\e]0;title\a\tb\n' "$shm_client" peek
    assert_eq "$(script -qec "$shm_client peek" /dev/null </dev/null | tr -d '\r')" \
        $'\\x1b]0;title\\x07\tb'
}

# Whose reader has seen enough ends at once, though there is no next record, and says nothing.
test_reader_leaves() {
    local status
    start_daemon "$ring" 'source = { type = "push"; };'
    for where in '' --no-ack; do
        seq 2 | client publish
        # shellcheck disable=SC2086
        ("$shm_client" follow --from oldest $where ${where:---socket "$RUNTIME_DIRECTORY/shmd.sock"} \
            2>"$TEST_DIR/stderr" || echo "$?" >"$TEST_DIR/status") | head -n 1 >"$TEST_DIR/first"
        assert_eq "$(cat "$TEST_DIR/first")" 1
        wait_until '[[ -s $TEST_DIR/status ]]'
        assert_eq "$(cat "$TEST_DIR/status")" "$((128 + 13))" 'exit status'
        assert_eq "$(cat "$TEST_DIR/stderr")" ''
        rm "$TEST_DIR/status"
    done
}

# A pipe that does not block takes what it has room for: that is no reason to stop in mid-record.
test_output_does_not_block() {
    start_daemon 'layout = "ring"; size = 1048576;' 'source = { type = "pattern"; frame_size = 20000; };'
    mkfifo "$TEST_DIR/fifo"
    (sleep 0.5 && cat) <"$TEST_DIR/fifo" >"$TEST_DIR/out" &
    perl -MFcntl -e 'open my $out, ">", shift or die; fcntl $out, F_SETFL, O_WRONLY | O_NONBLOCK or die;
                     open STDOUT, ">&", $out or die; exec @ARGV' \
        "$TEST_DIR/fifo" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --count 30
    wait "$!"
    assert_eq "$(awk '{ print length }' "$TEST_DIR/out" | sort | uniq -c | awk '{ print $1, $2 }')" \
        '30 20000' 'records and their length'
    # What goes through stdio, likewise.
    (sleep 0.5 && cat) <"$TEST_DIR/fifo" >"$TEST_DIR/out" &
    perl -MFcntl -e 'open my $out, ">", shift or die; fcntl $out, F_SETFL, O_WRONLY | O_NONBLOCK or die;
                     print $out "-" x 65536 or die; $out->flush; open STDOUT, ">&", $out or die; exec @ARGV' \
        "$TEST_DIR/fifo" "$shm_client" --help
    wait "$!"
    assert_contains "$(tr -d - <"$TEST_DIR/out" | tail -n 1)" 'foreign entries.'
}

# A record that nobody got is not acknowledged.
test_output_fails() {
    local format status
    make_record "$letters"
    for format in text json hex raw; do
        status=0
        "$shm_client" -o "$format" >/dev/full 2>"$TEST_DIR/stderr" || status=$?
        assert_eq "$status" 1
        assert_contains "$(cat "$TEST_DIR/stderr")" 'shm-client: cannot write the record to' \
            'No space left on device' 'not acknowledged'
    done
    mkfifo "$TEST_DIR/fifo"
    true <"$TEST_DIR/fifo" &
    status=0
    (
        exec 3>"$TEST_DIR/fifo"
        wait_until '! kill -0 $! 2>/dev/null'
        "$shm_client" >&3
    ) 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" "$((128 + 13))" 'exit status, without a reader'
    assert_eq "$(cat "$TEST_DIR/stderr")" ''
    status=0
    "$shm_client" >&- 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" 1
    assert_eq "$(segment_read)" "$letters."
}

test_status() {
    local id cpid
    start_server
    id=$(segment_id)
    cpid=$(segment_field "$key" cpid)
    assert_output "$(
        printf '%-16s%s\\n' key: 0x0000162e segment: "$id" layout: plain size: '27 bytes' mode: 0666 \
            'owner uid:' "$EUID" 'owner gid:' "$(id -g)" 'creator pid:' "$cpid" \
            'last pid:' "$(segment_field "$key" lpid)" attached: 1 \
            record: '26 bytes, not acknowledged'
    )" "$shm_client" status
    assert_contains "$("$shm_client" status --json)" \
        "{\"key\":\"0x0000162e\",\"segment\":$id,\"layout\":\"plain\",\"size\":27,\"mode\":\"0666\"," \
        "\"owner_uid\":$EUID,\"owner_gid\":$(id -g),\"creator_pid\":$cpid,\"last_pid\":" \
        ',"attached":1,"record_waits":true,"record_length":26}'
    assert_eq "$("$shm_client" status --output json | wc -l)" 1
    assert_eq "$(segment_read)" "$letters."
    acknowledge
    wait "$server"
    wait_until '(($(segment_field "$key" nattch) == 0))'
    assert_contains "$("$shm_client" status)" 'attached:       0' 'record:         none'
    assert_contains "$("$shm_client" status --json)" \
        '"attached":0,"record_waits":false,"record_length":0}'
}

test_status_output_fails() {
    local status=0
    make_record "$letters"
    "$shm_client" status >/dev/full 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" 1
    assert_contains "$(cat "$TEST_DIR/stderr")" 'shm-client: cannot write to standard output'
}

test_status_of_the_daemon() {
    local settings
    start_daemon "$ring"
    spawn_client follow --name 'me'
    wait_log subscribed
    kill -STOP "$client"
    assert_contains "$(client status)" 'instance:       shmd' 'layout:         ring' \
        'when full:      wait' 'key:            0x0000162e' "segment:        $(segment_id)" \
        'subscribers:    1' "sessions:       role subscriber, pid $client, uid $EUID, gid $(id -g), name me, ackn" \
        ', lease left ms '
    assert_contains "$(client status --json)" '{"instance":"shmd",' '"name":"me",'
    client status --json | perl -MJSON::PP -e 'decode_json(join "", <STDIN>)'
    kill -KILL "$client"
    wait_until '[[ $(client status) != *"sessions: "* ]]'
    # Without the daemon, what can be seen by the key.
    assert_contains "$("$shm_client" status)" 'layout:         ring' 'when full:      wait' \
        'record:         26 bytes, the oldest one'
    stop_daemon USR1
    wait_until '(($(segment_field "$key" nattch) == 0))'
    assert_contains "$(client status --key "$key")" 'attached:       0'
    assert_error 3 'no daemon listens on *' client status
}

test_status_watch() {
    start_daemon
    spawn_client status --watch --json --key "$key"
    wait_until '(($(wc -l <"$TEST_DIR/stdout") == 1))'
    stop_daemon USR1
    wait_until '(($(wc -l <"$TEST_DIR/stdout") >= 2))'
    ipcrm -M "$key"
    wait_until '[[ -s $TEST_DIR/stderr ]]'
    start_daemon_again
    wait_until '[[ $(tail -n 1 "$TEST_DIR/stdout") == *"\"instance\""* ]]'
    kill "$client"
    assert_contains "$(head -n 1 "$TEST_DIR/stdout")" '"instance":"shmd"'
    assert_contains "$(sed -n 2p "$TEST_DIR/stdout")" '"attached":0'
    assert_contains "$(cat "$TEST_DIR/stderr")" 'shm-client: no segment with key 0x0000162e'
}

# --- the command line and the configuration ---

test_help_and_version() {
    local option status=0
    assert_contains "$("$shm_client" --help)" 'Usage: shm-client'
    assert_eq "$("$shm_client" -h)" "$("$shm_client" --help)"
    assert_eq "$("$shm_client" help)" "$("$shm_client" --help)"
    # Of one verb, what is about it.
    assert_eq "$("$shm_client" publish --help)" "$("$shm_client" help publish)"
    assert_contains "$("$shm_client" publish --help)" 'Usage: shm-client publish [OPTION]... [FILE]' --framing
    [[ $("$shm_client" publish --help) != *--since* ]] || fail 'publish takes no --since'
    assert_eq "$("$shm_client" --help | awk 'length > 100')" '' 'long lines'
    [[ $("$shm_client" --version) =~ ^shm-client\ [0-9]+\.[0-9]+ ]] || fail 'no version'
    assert_eq "$("$shm_client" -V)" "$("$shm_client" --version)"
    "$shm_client" --help >/dev/full 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" 1
    for option in --help --version; do
        status=0
        "$shmd" "$option" >/dev/full 2>"$TEST_DIR/stderr" || status=$?
        assert_eq "$status $(cat "$TEST_DIR/stderr")" \
            '1 shmd: cannot write to standard output: No space left on device'
    done
}

# Nothing of this gets as far as the segment.
test_usage_errors() {
    local line
    make_record "$letters"
    while IFS= read -r line; do
        # shellcheck disable=SC2086
        assert_error 2 "${line#*| }" "$shm_client" ${line%% |*}
    done <<'END'
--bogus | unknown or ambiguous option '--bogus': see shm-client --help
-x | unknown option '-x': see shm-client --help
--no-ack -xh | unknown option '-x': see shm-client --help
-watch | unknown option '-w', did you mean --watch? See shm-client --help
-jsno | unknown option '-j', did you mean --json? See shm-client --help
--co 1 | unknown or ambiguous option '--co': see shm-client --help
--no-ack=1 | unexpected value in option '--no-ack=1': see shm-client --help
--key | no value after option '--key': see shm-client --help
-k | no value after option '-k': see shm-client --help
write | unknown verb 'write': see shm-client --help
folow | unknown verb 'folow', did you mean follow? See shm-client --help
help pubilsh | unknown verb 'pubilsh', did you mean publish? See shm-client --help
--cuont 1 | unknown or ambiguous option '--cuont', did you mean --count? See shm-client --help
--outptu=hex | unknown or ambiguous option '--outptu=hex', did you mean --output? See shm-client --help
read peek | more than one verb: 'peek': see shm-client --help
--key 0 | --key cannot be '0': give it a number from 1 to 0xffffffff
--key -1 | --key cannot be '-1': *
--key 0x100000000 | --key cannot be '0x100000000': *
--key 5678x | --key cannot be '5678x': *
--count 0 | --count cannot be '0': give it a number from 1 on
--count many | --count cannot be 'many': *
--count 1.5 | --count cannot be '1.5': *
--timeout -1 | --timeout cannot be '-1': give it a number of seconds, such as 2 or 0.25
--timeout 5s | --timeout cannot be '5s': *
--timeout 99999999999999999999 | --timeout cannot be '99999999999999999999': *
--output xml | --output cannot be 'xml': give it text, json, hex or raw
peek --no-ack | peek takes no --no-ack: see shm-client --help
read --json | read takes no --json: see shm-client --help
status --count 2 | status takes no --count: see shm-client --help
status -t 1 | status takes no --timeout: see shm-client --help
status --no-ack | status takes no --no-ack: see shm-client --help
status --output hex | status has no such --output: give it text or json
--from last | --from cannot be 'last': give it oldest or next
--name 01234567890123456789012345678901 | --name cannot be '01234567890123456789012345678901': *
--watch | read takes no --watch: see shm-client --help
--anonymous=1 | unexpected value in option '--anonymous=1': see shm-client --help
--anonymous --socket x | --anonymous and --no-ack use no session: *
follow --no-ack --name x | --anonymous and --no-ack use no session: *
peek --socket x | peek takes no --socket: see shm-client --help
peek --anonymous | peek takes no --anonymous: see shm-client --help
status --from next | status takes no --from: see shm-client --help
status --name x | status takes no --name: see shm-client --help
follow --json | follow takes no --json: see shm-client --help
--instance ../x | '../x' cannot be an instance: see shm-client --help
END
    assert_eq "$(segment_read)" "$letters."
}

# The status 2 is for the command line only.
test_configuration_errors() {
    make_record "$letters"
    configure 'poll_interval_ms = 10;' 'key = 0;'
    assert_error 1 "$conf:2: *" "$shm_client" --config "$conf"
    assert_error 1 "$TEST_DIR/none.conf: *" "$shm_client" --config "$TEST_DIR/none.conf"
    assert_error 1 "*/shmd/no-such-instance.conf: *" "$shm_client" --instance no-such-instance
    assert_eq "$(segment_read)" "$letters."
}

run_tests "$@"
