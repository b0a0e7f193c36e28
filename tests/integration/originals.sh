#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Programs that know nothing of shmd, only the contract: key 5678, 27 bytes, mode 0666, and a `*` at
# byte 0 when they are done. They work against shmd as they are.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# Runs a client again and again: each run finds a refilled segment and prints the letters, and is one
# line in the log.
run_hundred_times() {
    local i
    for i in {1..100}; do
        wait_until '[[ $(segment_read) == "$letters." ]]'
        assert_eq "$("$@")" "$letters" "what run $i printed"
    done
    wait_until '(($(count_log "acknowledged record [0-9]+ ") >= 100))'
    assert_eq "$(acknowledged_records | tr '\n' ' ')" "$(seq 100 | tr '\n' ' ')" 'the numbers logged'
    assert_eq "$(count_log 'acknowledged')" 100 'lines in the log'
}

# Perl's built-in functions, as in perldoc -f shmread.
perl_client() {
    perl -e '
        my $id = shmget(5678, 27, 0666) // die "shmget: $!\n";
        shmread($id, my $bytes, 0, 27) or die "shmread: $!\n";
        print unpack("Z*", $bytes), "\n";
        shmwrite($id, "*", 0, 1) or die "shmwrite: $!\n";'
}

test_original_client_a_hundred_times() {
    start_daemon
    run_hundred_times "$top_builddir/tests/integration/original-client"
}

test_perl_client_a_hundred_times() {
    start_daemon
    run_hundred_times perl_client
}

# In a row without a pause, as the original is used: while the refill is under way it prints the `*`
# that it finds, and acknowledges that. What it reads is the letters or that, and never a mixture.
test_original_client_without_waiting() {
    local i read
    start_daemon
    for i in {1..300}; do
        read=$("$top_builddir/tests/integration/original-client")
        [[ $read == "$letters" || $read == "*${letters:1}" ]] || fail "run $i printed «$read»"
    done
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_eq "$(acknowledged_records | uniq -d)" '' 'numbers logged twice'
    assert_eq "$(acknowledged_records | tr '\n' ' ')" \
        "$(seq "$(acknowledged_records | wc -l)" | tr '\n' ' ')" 'the numbers logged'
}

# Any user may do it.
test_original_client_of_another_user() {
    need_other_users
    cp "$top_builddir/tests/integration/original-client" "$TEST_DIR/bin/"
    start_daemon
    assert_eq "$("${alice[@]}" "$TEST_DIR/bin/original-client")" "$letters"
    wait_log 'acknowledged record 1 '
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_eq "$("${bob[@]}" "$TEST_DIR/bin/original-client")" "$letters"
    wait_log 'acknowledged record 2 '
}

# The original server makes the segment with IPC_CREAT and without IPC_EXCL: it is let into shmd's,
# and ends when somebody acknowledges what it wrote there.
test_original_server_on_the_same_key() {
    start_daemon
    "$top_builddir/tests/integration/original-server" &
    wait_until '(($(segment_field 5678 nattch) == 2))'
    wait_until '[[ $(segment_read) == "$letters." ]]'
    assert_eq "$(count_segments)" 1
    acknowledge
    wait_log 'acknowledged record'
}

run_tests "$@"
