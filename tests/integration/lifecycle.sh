#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The life of the segment, across every way in which the daemon can end and begin.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# The state file is named after the key and, as this is not the machine's own one, the IPC namespace.
state_file() {
    ls "$RUNTIME_DIRECTORY"/key-"${1:-0000162e}".ipc-*.state
}

# Acknowledges the record that stands there and waits for the next one.
acknowledge_and_wait() {
    local before
    before=$(count_log 'acknowledged record')
    acknowledge
    wait_until "((\$(count_log 'acknowledged record') > $before))"
    wait_until '[[ $(segment_read) == "$letters." ]]'
}

assert_numbers() {
    assert_eq "$(acknowledged_records | tr '\n' ' ')" "$* " 'acknowledged record numbers'
}

# Continuity: the same epoch, which is what the absence of a new one means.
count_epochs() {
    count_log 'epoch [0-9a-f]{32} begins'
}

# The default configuration is the original program's contract: key 5678, 27 bytes, mode 0666, the
# letters and a NUL.
test_start_makes_the_segment_of_the_contract() {
    start_daemon
    assert_eq "$(segment_field 5678 size)" 27
    assert_eq "$(segment_field 5678 perms)" 666
    assert_eq "$(segment_field 5678 uid)" "$(id -u)"
    assert_eq "$(segment_read)" "$letters."
    assert_eq "$(count_segments)" 1
    assert_eq "$(cd "$RUNTIME_DIRECTORY" && echo key-*)" "$(basename "$(state_file)")" 'state files'
}

# READY=1 only when the segment is published: whoever starts after it finds a record.
test_ready_comes_after_the_record() {
    local i
    for i in {1..20}; do
        start_daemon
        assert_eq "$(segment_read)" "$letters." "record at start $i"
        stop_daemon
    done
}

# P5: after SIGKILL the same segment, the same epoch; record numbers go on.
test_kill_and_restart_adopts() {
    local id epochs
    start_daemon
    acknowledge_and_wait
    acknowledge_and_wait
    id=$(segment_id)
    epochs=$(count_epochs)
    stop_daemon KILL
    assert_eq "$(segment_id)" "$id" 'segment after SIGKILL'

    start_daemon_again
    assert_eq "$(segment_id)" "$id" 'segment after the restart'
    assert_eq "$(segment_read)" "$letters." 'the pending record'
    wait_log 'adopted'
    acknowledge_and_wait
    assert_numbers 1 2 3
    assert_eq "$(count_epochs)" "$epochs" 'epochs'
}

# P3: no acknowledgement goes unaccounted, not even one that comes while there is no daemon.
test_acknowledgement_while_the_daemon_is_dead() {
    start_daemon
    acknowledge_and_wait
    stop_daemon KILL
    acknowledge
    start_daemon_again
    wait_until '[[ $(segment_read) == "$letters." ]]'
    wait_until '(($(acknowledged_records | wc -l) == 2))'
    assert_numbers 1 2
}

# P5, under load and any number of times: every acknowledgement of the client is logged once, in
# order, and none is made up.
test_kills_under_load() {
    local id i client before
    start_daemon 'poll_interval_ms = 1;'
    id=$(segment_id)
    perl -e '
        my ($id, $stop) = @ARGV;
        my $count = 0;
        until (-e $stop) {
            shmread($id, my $first, 0, 1) or die "shmread: $!\n";
            select(undef, undef, undef, 0.0005);
            next if $first eq "*";
            shmwrite($id, "*", 0, 1) or die "shmwrite: $!\n";
            $count++;
        }
        print "$count\n"' "$id" "$TEST_DIR/stop" >"$TEST_DIR/count" &
    client=$!
    for i in {1..20}; do
        before=$(count_log 'acknowledged record')
        wait_until "((\$(count_log 'acknowledged record') > $before))"
        sleep "0.0$((RANDOM % 5))"
        stop_daemon KILL
        start_daemon_again
        assert_eq "$(segment_id)" "$id" "segment after kill $i"
    done
    touch "$TEST_DIR/stop"
    wait "$client"
    wait_until '[[ $(segment_read) == "$letters." ]]'
    wait_until '(($(acknowledged_records | wc -l) >= $(cat "$TEST_DIR/count")))'
    diagnose "acknowledgements across 20 kills: $(cat "$TEST_DIR/count")"
    seq "$(cat "$TEST_DIR/count")" | diff - <(acknowledged_records) ||
        fail 'the numbers logged are not those of the acknowledgements'
}

# SIGUSR1, which `systemctl restart` sends, leaves the segment to the next daemon.
test_usr1_leaves_the_segment() {
    local id
    start_daemon
    acknowledge_and_wait
    id=$(segment_id)
    stop_daemon USR1
    assert_eq "$(segment_id)" "$id" 'segment after SIGUSR1'
    assert_eq "$(cd "$RUNTIME_DIRECTORY" && echo key-*)" "$(basename "$(state_file)")" 'state files'
    start_daemon_again
    assert_eq "$(segment_id)" "$id" 'segment after the restart'
    acknowledge_and_wait
    assert_numbers 1 2
}

# SIGTERM, which `systemctl stop` sends, removes the segment and what was remembered of it.
test_term_removes_the_segment() {
    start_daemon
    stop_daemon TERM
    assert_eq "$(count_segments)" 0 'segments after SIGTERM'
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files after SIGTERM'
    wait_log 'segment [0-9]+ .* removed'
}

test_int_removes_the_segment() {
    start_daemon
    stop_daemon INT
    assert_eq "$(count_segments)" 0 'segments after SIGINT'
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files after SIGINT'
}

# A stop does not swallow what was acknowledged just before.
test_acknowledgement_just_before_the_stop_is_logged() {
    start_daemon 'poll_interval_ms = 60000;'
    acknowledge
    stop_daemon TERM
    assert_numbers 1
}

# keep = true: the segment outlives a stop, and the next start goes on with it.
test_keep_leaves_the_segment() {
    local id
    start_daemon 'keep = true;'
    acknowledge_and_wait
    id=$(segment_id)
    stop_daemon TERM
    assert_eq "$(segment_id)" "$id" 'segment after SIGTERM'
    assert_eq "$(cd "$RUNTIME_DIRECTORY" && echo key-*)" "$(basename "$(state_file)")" 'state files'
    start_daemon_again
    assert_eq "$(segment_id)" "$id" 'segment after the start'
    acknowledge_and_wait
    assert_numbers 1 2
}

# Ours but of another geometry: made anew under the same key; an attached client keeps its old bytes.
test_other_size_at_restart_replaces() {
    local id
    start_daemon
    id=$(segment_id)
    stop_daemon KILL
    start_daemon 'size = 100;'
    [[ $(segment_id) != "$id" ]] || fail 'the segment was not replaced'
    assert_eq "$(segment_field 5678 size)" 100
    assert_eq "$(count_segments)" 1
    wait_log 'made anew in the place of another one'
}

test_other_size_with_a_client_attached() {
    local id client
    start_daemon
    id=$(segment_id)
    mkfifo "$TEST_DIR/go"
    perl -MIPC::SysV=shmat,memread,SHM_RDONLY -e '
        my ($id, $fifo) = @ARGV;
        my $address = shmat($id, undef, SHM_RDONLY) or die "shmat: $!\n";
        open my $go, "<", $fifo or die "$fifo: $!\n";
        <$go>;
        memread($address, my $bytes, 0, 27) or die "memread: $!\n";
        print unpack("Z*", $bytes);' "$id" "$TEST_DIR/go" >"$TEST_DIR/seen" &
    client=$!
    wait_until '(($(segment_field 5678 nattch) == 2))'
    stop_daemon KILL
    start_daemon 'size = 100;'
    [[ $(segment_id) != "$id" ]] || fail 'the segment was not replaced'
    echo >"$TEST_DIR/go"
    wait "$client"
    assert_eq "$(cat "$TEST_DIR/seen")" "$letters" 'what the attached client sees'
}

# A key that the configuration names no more is not left behind.
test_other_key_at_restart_removes_the_old_segment() {
    start_daemon
    stop_daemon KILL
    start_daemon 'key = 1234;'
    assert_eq "$(segment_id 5678)" '' 'segment under the old key'
    assert_eq "$(segment_field 1234 size)" 27
    assert_eq "$(count_segments)" 1
    assert_eq "$(cd "$RUNTIME_DIRECTORY" && echo key-*)" "$(basename "$(state_file 000004d2)")" 'state files'
}

# A new epoch starts whenever continuity cannot be proven.
test_lost_state_is_a_new_epoch() {
    local epochs
    start_daemon
    acknowledge_and_wait
    epochs=$(count_epochs)
    stop_daemon KILL
    rm "$(state_file)"
    start_daemon_again
    wait_until '(($(count_epochs) > epochs))'
    assert_eq "$(count_epochs)" "$((epochs + 1))" 'epochs'
    acknowledge_and_wait
    assert_numbers 1 1
}

# Whatever stands in the state file, the daemon starts, says that an epoch begins, and works.
test_garbage_in_the_state_file() {
    local garbage epochs
    for garbage in 'true' 'echo garbage' 'head -c 65536 /dev/urandom' \
        'head -c 4096 /dev/zero' 'head -c 100 "$TEST_DIR/good"' \
        'tr "\000" "\377" <"$TEST_DIR/good"' 'tail -c +9 "$TEST_DIR/good"'; do
        start_daemon
        acknowledge_and_wait
        epochs=$(count_epochs)
        stop_daemon KILL
        cp "$(state_file)" "$TEST_DIR/good"
        eval "$garbage" >"$TEST_DIR/garbage"
        cp "$TEST_DIR/garbage" "$(state_file)"
        start_daemon_again
        wait_until '(($(count_epochs) > epochs))'
        assert_eq "$(count_epochs)" "$((epochs + 1))" "epochs, after «$garbage»"
        acknowledge_and_wait
        stop_daemon
    done
}

# refused STATUS WORDS [COMMAND…]: a start that nobody tries again; nothing is left behind
refused() {
    assert_exit "$1" "${@:3}" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "$2"
    assert_eq "$(count_segments)" 0
}

# No state file can be written, and waiting would not help: where it is, why not, and what to do.
test_state_that_cannot_be_had() {
    local path file
    configure
    start_daemon_again
    path=$(state_file)
    stop_daemon
    mkdir "$path"
    refused 69 "no state in $path: a directory has that name: remove it"
    rmdir "$path"
    mkfifo "$path"
    refused 69 "no state in $path: something that is no regular file has that name: remove it"
    rm "$path"
    ln -s nowhere "$path"
    refused 69 "no state in $path: a symbolic link stands there "
    rm "$path"

    file=$TEST_DIR/file
    echo precious >"$file"
    refused 69 "no state in $TEST_DIR/none/such/key-0000162e" env RUNTIME_DIRECTORY="$TEST_DIR/none/such"
    assert_contains "$output" 'its directory is not there: make it'
    refused 69 'something on the way there is no directory: make it one' env RUNTIME_DIRECTORY="$file"
    ln -s circle "$TEST_DIR/circle"
    refused 69 'leads round in a circle: remove it' env RUNTIME_DIRECTORY="$TEST_DIR/circle"
    refused 69 'the path is too long: choose a shorter one' \
        env RUNTIME_DIRECTORY="/$(printf '%0300d' 0)"
    assert_eq "$(cat "$file")" precious
}

# Who may not, is named: it is not the one who reads that.
test_state_of_who_may_not() {
    need_other_users
    configure
    mkdir -m 0755 "$TEST_DIR/ours"
    refused 77 'Permission denied for u' env RUNTIME_DIRECTORY="$TEST_DIR/ours" "${dave[@]}"
    assert_contains "$output" "no state in $TEST_DIR/ours/key-" ': let it write there'
    mkdir -m 0777 "$TEST_DIR/theirs"
    assert_exit 77 env RUNTIME_DIRECTORY="$TEST_DIR/theirs" timeout "$PATIENCE_S" "${dave[@]}" \
        "$shmd" --config "$conf" --socket "$TEST_DIR/ours/it"
    assert_contains "$output" "no socket $TEST_DIR/ours/it: Permission denied for u" \
        ': let it write there, or choose another path with --socket'
    assert_eq "$(ls -A "$TEST_DIR/theirs")" '' 'files left behind'
}

# A segment that an administrator removed is noticed, said, and made anew.
test_removed_segment_is_made_anew() {
    local id
    start_daemon
    acknowledge_and_wait
    id=$(segment_id)
    ipcrm --shmem-id "$id"
    wait_until '[[ -n $(segment_id) && $(segment_field 5678 nattch) -ge 1 ]]'
    [[ $(segment_id) != "$id" ]] || fail 'the segment was not removed'
    wait_until '[[ $(segment_read) == "$letters." ]]'
    wait_log 'was removed by somebody else'
    acknowledge_and_wait
    assert_numbers 1 2
    stop_daemon
    assert_eq "$(count_segments)" 0
}

# The same where nothing is polled, because nobody else may write.
test_removed_segment_is_made_anew_without_polling() {
    local id
    start_daemon 'mode = "0644";'
    id=$(segment_id)
    ipcrm --shmem-id "$id"
    wait_until '[[ -n $(segment_id) && $(segment_id) != '"$id"' ]]'
    wait_until '[[ $(segment_read) == "$letters." ]]'
}

# Another running shmd holds the key: exit 69, and nothing of it is touched.
test_second_daemon() {
    local id
    start_daemon
    id=$(segment_id)
    assert_exit 69 timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "another shmd (pid $daemon)"
    daemon_runs || fail 'the first one is gone'
    assert_eq "$(segment_id)" "$id" 'segment'
    acknowledge_and_wait
    acknowledge_and_wait
    assert_numbers 1 2
}

# Two instances with keys of their own live beside each other.
test_two_daemons_with_two_keys() {
    local first
    start_daemon
    first=$daemon
    conf=$TEST_DIR/second.conf
    start_daemon 'key = 0x1234;'
    assert_eq "$(segment_read 4660)" "$letters."
    assert_eq "$(segment_read 5678)" "$letters."
    stop_daemon
    assert_eq "$(segment_id 4660)" ''
    assert_eq "$(segment_read 5678)" "$letters."
    daemon=$first
}

run_tests "$@"
