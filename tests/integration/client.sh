#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shm-client: every exit status, every output format, every error line. And the contract that it
# shares with programs that know nothing of shmd: the originals, made anew in C and in Perl.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

originals=$top_builddir/tests/integration

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

# The wait goes on while systemd would restart the daemon.
test_daemon_killed_while_waiting() {
    start_daemon
    wait_until '[[ $(segment_read) == "$letters." ]]'
    stop_daemon KILL
    acknowledge
    "$shm_client" >"$TEST_DIR/stdout" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 1))'
    start_daemon_again
    wait "$client"
    assert_eq "$(cat "$TEST_DIR/stdout")" "$letters"
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
    make_record "*$letters" 99
    "$shm_client" --timeout 20 >"$TEST_DIR/stdout" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 1))'
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
    make_record 'first'
    "$shm_client" peek --count 2 --timeout 20 >"$TEST_DIR/stdout" &
    client=$!
    wait_until '[[ $(cat "$TEST_DIR/stdout") == first ]]'
    segment_write "$key" 0 'other'
    wait "$client"
    assert_eq "$(cat "$TEST_DIR/stdout")" $'first\nother'
    assert_eq "$(segment_read | head -c 6)" 'other.'
}

test_timeout() {
    local start
    make_record '*'
    # Somebody has it attached, so that it is the timeout that ends the wait.
    "$shm_client" --timeout 50 &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 1))'
    assert_error 4 'no new record is there now: wait for one with --timeout SECONDS' \
        "$shm_client" --timeout 0
    start=${EPOCHREALTIME/[.,]/}
    assert_error 4 'no new record within 1.25 s: *--timeout SECONDS' "$shm_client" -t 1.25
    ((${EPOCHREALTIME/[.,]/} - start >= 1250000)) || fail 'the wait was too short'
    assert_eq "$(segment_read | head -c 1)" '*'
    kill "$client"
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
        "$shm_client" --timeout 30
}

test_segment_removed_while_waiting() {
    local status=0
    make_record '*'
    "$shm_client" --timeout 30 2>"$TEST_DIR/stderr" &
    client=$!
    wait_until '(($(segment_field "$key" nattch) == 1))'
    ipcrm -M "$key"
    wait "$client" || status=$?
    assert_eq "$status" 3
    assert_contains "$(cat "$TEST_DIR/stderr")" 'is shmd running?'
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
    make_record $'say "\\" \t\n\e[1m \u00ef \u20ac' 40
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
    assert_eq "$status" 1
    assert_contains "$(cat "$TEST_DIR/stderr")" 'Broken pipe'
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
        printf '%-16s%s\\n' key: 0x0000162e segment: "$id" size: '27 bytes' mode: 0666 \
            'owner uid:' "$EUID" 'owner gid:' "$(id -g)" 'creator pid:' "$cpid" \
            'last pid:' "$(segment_field "$key" lpid)" attached: 1 \
            record: '26 bytes, not acknowledged'
    )" "$shm_client" status
    assert_contains "$("$shm_client" status --json)" \
        "{\"key\":\"0x0000162e\",\"segment\":$id,\"size\":27,\"mode\":\"0666\"," \
        "\"owner_uid\":$EUID,\"owner_gid\":$(id -g),\"creator_pid\":$cpid,\"last_pid\":" \
        ',"attached":1,"record_waits":true,"record_length":26}'
    assert_eq "$("$shm_client" status --output json | wc -l)" 1
    assert_eq "$(segment_read)" "$letters."
    acknowledge
    wait "$server"
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

# --- the command line and the configuration ---

test_help_and_version() {
    local status=0
    assert_contains "$("$shm_client" --help)" 'Usage: shm-client'
    assert_eq "$("$shm_client" -h)" "$("$shm_client" --help)"
    assert_eq "$("$shm_client" --help | awk 'length > 100')" '' 'long lines'
    [[ $("$shm_client" --version) =~ ^shm-client\ [0-9]+\.[0-9]+ ]] || fail 'no version'
    assert_eq "$("$shm_client" -V)" "$("$shm_client" --version)"
    "$shm_client" --help >/dev/full 2>"$TEST_DIR/stderr" || status=$?
    assert_eq "$status" 1
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
--co 1 | unknown or ambiguous option '--co': see shm-client --help
--no-ack=1 | unexpected value in option '--no-ack=1': see shm-client --help
--key | no value after option '--key': see shm-client --help
-k | no value after option '-k': see shm-client --help
write | unknown verb 'write': see shm-client --help
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
