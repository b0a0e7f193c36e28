#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The source "stream", with the real daemon: each record once and in order, whatever the producer is
# up to; and a producer that is too fast waits.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

client() {
    timeout "$PATIENCE_S" "$shm_client" "$@" --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# follow COUNT [OPTION…]: so many records from the oldest on
follow() {
    client follow --from oldest --count "$@"
}

ring='layout = "ring"; size = 65536; mode = "0644";'
small='mode = "0644"; size = 27;'

# start LAYOUT SCRIPT SETTING…: a shell script is the producer; it runs in $TEST_DIR
start() {
    printf '%s\n' "$2" >"$TEST_DIR/script"
    start_daemon "$1" "source = { type = \"stream\";
        command = [\"/bin/sh\", \"$TEST_DIR/script\"]; directory = \"$TEST_DIR\"; ${*:3} };"
}

# start_fifo LAYOUT SETTING…
start_fifo() {
    fifo=$TEST_DIR/fifo
    mkfifo "$fifo"
    start_daemon "$1" "source = { type = \"stream\"; path = \"$fifo\"; ${*:2} };"
}

left() {
    processes_with "$TEST_DIR/script"
}

# seq is a real program: fast, and then it ends.
test_seq() {
    start_daemon "$ring" 'source = { type = "stream"; command = ["/usr/bin/seq", "200000"]; };'
    assert_eq "$(follow 200000 | md5sum)" "$(seq 200000 | md5sum)"
    wait_log 'source stream has ended: /usr/bin/seq exited with status 0'
    assert_eq "$(count_log 'rejected|no record')" 0
    daemon_runs || fail 'the daemon has ended'
}

# In the plain layout, one at a time.
test_plain() {
    start_daemon "$small" 'source = { type = "stream"; command = ["/usr/bin/seq", "500"]; };'
    assert_eq "$(follow 500 | md5sum)" "$(seq 500 | md5sum)"
}

# Where the newest wins, a producer waits for nobody: nor for nobody.
test_the_newest_wins() {
    start_fifo "$ring when_full = \"overwrite\";"
    seq 100000 >"$fifo"
    wait_until '[[ $(client) == 100000 ]]'
}

# tail -F is a real program: lines of a log, also when it is rotated.
test_tail() {
    printf 'one\ntwo\n' >"$TEST_DIR/a.log"
    start_daemon "$ring" "source = { type = \"stream\";
        command = [\"/usr/bin/tail\", \"-n\", \"+1\", \"-F\", \"$TEST_DIR/a.log\"]; };"
    follow 4 >"$TEST_DIR/out" &
    wait_until '(($(wc -l <"$TEST_DIR/out") == 2))'
    echo three >>"$TEST_DIR/a.log"
    wait_until '(($(wc -l <"$TEST_DIR/out") == 3))'
    mv "$TEST_DIR/a.log" "$TEST_DIR/a.log.1"
    echo four >"$TEST_DIR/a.log"
    wait $!
    assert_eq "$(tr '\n' ' ' <"$TEST_DIR/out")" 'one two three four '
    wait_log 'source stream: /usr/bin/tail: .*has (appeared|become inaccessible|been replaced)'
}

# "when the ring is full the pipe fills: the producer feels the back-pressure"
test_back_pressure() {
    local before
    # shellcheck disable=SC2016
    start "$ring" 'i=0; while :; do i=$((i+1)); echo $i >count.new; mv count.new count; printf "%01000d\n" $i; done'
    wait_until '[[ -s $TEST_DIR/count ]]'
    until [[ ${before:-} == "$(cat "$TEST_DIR/count")" ]]; do
        before=$(cat "$TEST_DIR/count")
        sleep 0.7
    done
    # The ring, the buffer, and the pipe.
    ((before < 300)) || fail "it went on to $before"
    follow $((before * 2)) | awk '{ if ($1 + 0 != NR) { print NR, $1; exit 1 } }'
}

test_framings() {
    start "$ring" 'printf "abcdefghi"' 'framing = "fixed"; frame_size = 3;'
    assert_eq "$(follow 3 | tr '\n' ' ')" 'abc def ghi '
    stop_daemon
    start "$ring" 'printf "\003\000\000\000a\nb\000\000\000\000\002\000\000\000\000*\005\000"' 'framing = "length";'
    assert_eq "$(follow 3 --output hex | tr '\n' ' ')" '610a62  002a '
    wait_log '2 bytes of a record that is not complete are dropped'
}

# What is left without a newline is a record, if the producer has ended well.
test_rest_of_a_line() {
    start "$ring" 'printf "one\nrest"'
    assert_eq "$(follow 2 | tr '\n' ' ')" 'one rest '
    stop_daemon
    start "$ring" 'printf "one\nre"; exit 1'
    wait_log '2 bytes of a record that is not complete are dropped'
    wait_log 'exited with status 1'
}

test_on_end_hold() {
    start "$small" 'echo only' 'on_end = "hold";'
    assert_eq "$(client)" only
    wait_log 'has ended'
    assert_exit 4 client read --timeout 0.5
    daemon_runs || fail 'the daemon has ended'
    assert_eq "$(count_log 'has ended')" 1
}

test_on_end_exit() {
    local status=0
    # (Without any subscriber, there is nobody to wait for.)
    start "$ring" 'seq 1000; while [ ! -e go ]; do sleep 0.05; done' 'on_end = "exit";'
    assert_eq "$(follow 1000 | tail -n 1)" 1000
    touch "$TEST_DIR/go"
    wait "$daemon" || status=$?
    daemon=''
    assert_eq "$status" 0 'exit status'
}

# "dies at once in a loop": it is begun anew, and less and less often.
test_on_end_restart() {
    local from passed
    from=$(now_msec)
    # shellcheck disable=SC2016
    start "$ring" 'echo >>lives; echo "life $(wc -l <lives)"; exit 1' 'on_end = "restart";'
    assert_eq "$(follow 3 | tr '\n' ' ')" 'life 1 life 2 life 3 '
    # Between ten lives lie pauses of 0, 10, 20, … and 1280 ms.
    wait_until '(($(wc -l <"$TEST_DIR/lives") >= 10))'
    passed=$(($(now_msec) - from))
    ((passed >= 2500)) || fail "10 lives in $passed ms"
    wait_log 'source stream has ended: /bin/sh exited with status 1'
}

# Longer than fits: rejected, not cut, and the stream stays in frame.
test_too_long() {
    start "$small" 'echo before; head -c 200000 /dev/zero | tr "\0" x; echo; echo "*"; echo; printf "a\0b\n"; echo after'
    assert_eq "$(follow 2 | tr '\n' ' ')" 'before after '
    wait_log 'record of 200000 bytes rejected'
    wait_log "record of 1 byte rejected: it begins with"
    wait_log "record of 0 bytes rejected"
    wait_log "record of 3 bytes rejected: it contains a NUL"
}

test_a_byte_at_a_time() {
    start "$small" 'for c in s l o w " " b y t e s; do printf "$c"; sleep 0.05; done; echo; sleep 1000'
    assert_eq "$(client read --timeout "$PATIENCE_S")" 'slow bytes'
}

# "never ending a line": the daemon goes on, and holds no more memory for it, though it has taken (all
# but what a pipe holds of) 200 MB.
test_never_ending_a_line() {
    local before after
    start "$small" 'echo first; while [ ! -e go ]; do sleep 0.05; done
        head -c 200000000 /dev/zero | tr "\0" x; touch taken
        while [ ! -e end ]; do sleep 0.05; done; echo; echo last; sleep 1000'
    assert_eq "$(client)" first
    before=$(awk '/^VmRSS:/ { print $2 }' "/proc/$daemon/status")
    touch "$TEST_DIR/go"
    wait_until '[[ -e $TEST_DIR/taken ]]'
    client status >/dev/null
    after=$(awk '/^VmRSS:/ { print $2 }' "/proc/$daemon/status")
    # (A sanitizer's memory is its own affair.)
    ((after - before < 2048)) || ldd "$shmd" | grep -q asan || grep -q asan "/proc/$daemon/maps" ||
        fail "resident memory grew from $before to $after KiB"
    touch "$TEST_DIR/end"
    assert_eq "$(client read --timeout "$PATIENCE_S")" last
    wait_log 'record of [0-9]+ bytes rejected: it is longer'
}

# A flood that nobody reads, a flood of words, and the daemon still answers.
test_floods() {
    start "$ring" 'yes "to the log" >&2 & yes'
    wait_log 'source stream: to the log'
    client status >/dev/null
    assert_eq "$(follow 100000 | sort -u)" y
    reload_daemon
    stop_daemon
    wait_until '[[ -z $(left) ]]'
}

# Killed at random under load, begun anew each time: of each life, what has come is what it wrote,
# from the first on, without a gap and without a repetition.
test_killed_at_random() {
    local i
    # shellcheck disable=SC2016
    start "$ring" 'echo $$ >pid; echo >>lives; n=$(wc -l <lives); exec seq -f "$n %.0f" 1 100000000' \
        'on_end = "restart";'
    "$shm_client" follow --from oldest --socket "$RUNTIME_DIRECTORY/shmd.sock" >"$TEST_DIR/out" &
    local follower=$!
    for i in {1..15}; do
        # On a machine that stands still, a life could end before its first word.
        wait_until "[[ \$(tail -n 2 '$TEST_DIR/out' | head -n 1) == '$i '* ]]"
        sleep "0.$((RANDOM % 30 + 10))"
        kill -KILL "$(cat "$TEST_DIR/pid")" 2>/dev/null || true
        wait_until "((\$(count_log 'has ended') >= $i))"
        reload_daemon # no pause
    done
    stop_daemon
    kill "$follower" 2>/dev/null || true
    wait "$follower" || true
    # The last line may be half a line: the client was killed.
    sed '$d' "$TEST_DIR/out" | awk '
        $1 != life { if ($1 != life + 1 || $2 != 1) { print "life", $0; exit 1 } life = $1; last = 0 }
        $2 != ++last { print "after", last, "comes", $0; exit 1 }
        END { print "# " NR " records of " life " lives" }' | tee "$TEST_DIR/verdict"
    grep -q '^#' "$TEST_DIR/verdict" || fail "$(cat "$TEST_DIR/verdict")"
    wait_until '[[ -z $(left) ]]'
}

# --- a FIFO ---

test_fifo() {
    local i
    start_fifo "$ring"
    for i in {1..20}; do
        echo "writer $i" >"$fifo"
    done
    assert_eq "$(follow 20 | md5sum)" "$(seq -f 'writer %.0f' 20 | md5sum)"
    printf 'no newline' >"$fifo"
    assert_eq "$(follow 1 --timeout "$PATIENCE_S")" 'no newline'
    assert_eq "$(count_log 'has ended')" 0
}

# Writers at once: each line that is written at once is whole.
test_fifo_with_several_writers() {
    local i
    start_fifo "$ring"
    for i in 1 2 3 4; do
        # shellcheck disable=SC2016
        perl -e '$| = 1; print "$ARGV[0] $_\n" for 1 .. 5000' "$i" >"$fifo" &
    done
    follow 20000 >"$TEST_DIR/out"
    for i in 1 2 3 4; do
        assert_eq "$(grep "^$i " "$TEST_DIR/out" | md5sum)" "$(seq -f "$i %.0f" 5000 | md5sum)" "writer $i"
    done
}

test_fifo_that_is_none() {
    start_daemon "$small" "source = { type = \"stream\"; path = \"$TEST_DIR/fifo\"; };"
    wait_log 'fifo: No such file or directory'
    mkdir "$TEST_DIR/fifo"
    wait_log 'fifo: is not a FIFO'
    rmdir "$TEST_DIR/fifo"
    mkfifo "$TEST_DIR/fifo"
    reload_daemon
    echo text >"$TEST_DIR/fifo"
    assert_eq "$(client read --timeout "$PATIENCE_S")" text
}

# Another configuration of the same FIFO, again and again under load: nothing lost, nothing torn, and
# no writer left without a reader.
test_fifo_reload_under_load() {
    local i writer
    start_fifo "$ring"
    seq 400000 >"$fifo" &
    writer=$!
    follow 400000 >"$TEST_DIR/out" &
    local follower=$!
    for i in {1..20}; do
        configure "$ring" "source = { type = \"stream\"; path = \"$fifo\"; timeout_ms = $((i + 1)); };"
        reload_daemon
    done
    wait "$writer" || fail "the writer ended with status $?"
    wait "$follower" || true
    assert_eq "$(md5sum <"$TEST_DIR/out")" "$(seq 400000 | md5sum)"
}

# --- reload ---

# What the producer has got rid of is published before the first record of another source.
test_reload_to_another_source() {
    start "$ring" 'seq 2000; echo >written; sleep 1000'
    wait_until '[[ -s $TEST_DIR/written ]]'
    configure "$ring"
    reload_daemon
    assert_eq "$(follow 2001 | md5sum)" "$({ seq 2000; echo "$letters"; } | md5sum)"
    wait_until '[[ -z $(left) ]]'
}

# The same settings: the stream goes on, in the same process.
test_reload_of_the_same() {
    local pid
    # shellcheck disable=SC2016
    start "$ring" 'echo $$ >pid; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'
    follow 100 >"$TEST_DIR/out" &
    wait_until '[[ -s $TEST_DIR/pid ]]'
    pid=$(cat "$TEST_DIR/pid")
    reload_daemon
    reload_daemon
    wait $!
    assert_eq "$(md5sum <"$TEST_DIR/out")" "$(seq 100 | md5sum)"
    assert_eq "$(cat "$TEST_DIR/pid")" "$pid"
}

# Another segment in the middle of a long record.
test_reload_in_the_middle_of_a_record() {
    start 'mode = "0644"; size = 200001;' 'echo first; head -c 150000 /dev/zero | tr "\0" x; echo >half; while [ ! -e go ]; do sleep 0.05; done; head -c 50000 /dev/zero | tr "\0" x; echo; sleep 1000'
    assert_eq "$(client)" first
    wait_until '[[ -e $TEST_DIR/half ]]' # the daemon has taken more than half of that
    sed -i 's/200001/300000/' "$conf"
    reload_daemon
    touch "$TEST_DIR/go"
    assert_eq "$(client read --timeout "$PATIENCE_S" | md5sum)" "$({ head -c 200000 /dev/zero | tr '\0' x; echo; } | md5sum)"
}

test_stop_leaves_no_process() {
    echo 'trap "" HUP TERM; while :; do sleep 1; done' >"$TEST_DIR/script-child"
    start "$ring" "sh $TEST_DIR/script-child & yes"
    wait_until '(($(left | wc -l) >= 2))'
    stop_daemon
    wait_until '[[ -z $(left) ]]'
}

run_tests "$@"
