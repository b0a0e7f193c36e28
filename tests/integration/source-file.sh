#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The source "file", with the real daemon: what clients read is what stands in the file.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

read_record() {
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" --timeout "$PATIENCE_S" "$@"
}

# The next record is this one, perhaps after some that had been taken in before.
assert_becomes() {
    local i record
    for i in {1..50}; do
        record=$(read_record)
        [[ $record == "$1" ]] && return
    done
    fail "record $i is «$record», expected «$1»"
}

# start TEXT SETTING…: with a file that has this content
start() {
    file=$TEST_DIR/content
    printf '%s' "$1" >"$file"
    start_daemon 'mode = "0644"; size = 100;' "source = { type = \"file\"; path = \"$file\"; ${*:2} };"
}

# "each refill is the file's content now"
test_content_now() {
    local i
    start one
    assert_eq "$(read_record)" one
    # Refilled as soon as it was acknowledged: what was in the file then.
    for i in {1..5}; do
        printf 'number %s' "$i" >"$TEST_DIR/new"
        mv "$TEST_DIR/new" "$file"
        assert_becomes "number $i"
    done
    assert_eq "$(count_log 'yields no record')" 0
}

# Each byte as it is.
test_bytes_are_kept() {
    start ''
    printf 'two\nlines\n\n' >"$file"
    wait_until '[[ $(segment_read | head -c 3) == two ]]'
    assert_eq "$(read_record --output hex)" 74776f0a6c696e65730a0a
}

# Missing, a directory, a FIFO, too large, empty: said, tried again, and the daemon stays.
test_failures() {
    local before
    start text
    assert_eq "$(read_record)" text
    wait_until '[[ $("$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" status --json) == *"\"records\":2,"* ]]'
    rm "$file"
    assert_eq "$(read_record)" text
    wait_log 'source file yields no record: .*/content: No such file'
    mkdir "$file"
    wait_log 'content: Is a directory'
    rmdir "$file"
    mkfifo "$file"
    wait_log 'content: is not a regular file'
    rm "$file"
    head -c 5000 /dev/zero | tr '\0' x >"$file"
    wait_log 'record of 5000 bytes rejected'
    printf '*' >"$file"
    wait_log 'record of 1 byte rejected'
    daemon_runs || fail 'the daemon has ended'
    printf back >"$file"
    reload_daemon # which ends the pause
    assert_eq "$(read_record)" back
    before=$(count_log 'No such file')
    ((before < 20)) || fail "tried $before times without a pause"
}

# "publishes anew when it changes and not before"
test_watch() {
    local i
    start first 'watch = true;'
    assert_eq "$(read_record)" first
    # Nobody is given the same twice; a newcomer is given what there is.
    assert_exit 4 "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" follow --count 2 --timeout 1 --from next
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" follow --count 6 \
        --output json >"$TEST_DIR/followed" &
    local follower=$!
    wait_until '[[ -s $TEST_DIR/followed ]]'
    for i in {1..5}; do
        printf 'change %s' "$i" >"$TEST_DIR/new"
        if ((i % 2)); then
            mv "$TEST_DIR/new" "$file"
        else
            cat "$TEST_DIR/new" >"$file"
        fi
        wait_until "grep -q 'change $i' '$TEST_DIR/followed'"
    done
    wait "$follower"
    assert_eq "$(wc -l <"$TEST_DIR/followed")" 6
    assert_eq "$(grep -oE 'first|change [0-9]' "$TEST_DIR/followed" | uniq -d)" '' 'twice'
}

# A record that nobody acknowledges is replaced by what is newer, where nobody owes it.
test_watch_replaces_what_is_out_of_date() {
    start old 'watch = true;'
    wait_until '[[ $(segment_read) == old.* ]]'
    printf new >"$TEST_DIR/other"
    mv "$TEST_DIR/other" "$file"
    wait_until '[[ $(segment_read) == new.* ]]'
}

# What the path leads to is another file, though nobody has touched that: by a link on the way, and by
# two renames with a pause, of files and of directories.
test_watch_on_the_way() {
    mkdir "$TEST_DIR/r1" "$TEST_DIR/r2"
    printf one >"$TEST_DIR/r1/data"
    printf two >"$TEST_DIR/r2/data"
    ln -s r1 "$TEST_DIR/current"
    start_daemon 'mode = "0644"; size = 100;' \
        "source = { type = \"file\"; path = \"$TEST_DIR/current/data\"; watch = true; };"
    wait_until '[[ $(segment_read) == one.* ]]'
    ln -s r2 "$TEST_DIR/next"
    mv -T "$TEST_DIR/next" "$TEST_DIR/current"
    wait_until '[[ $(segment_read) == two.* ]]'
    printf three >"$TEST_DIR/new"
    mv "$TEST_DIR/r2/data" "$TEST_DIR/old"
    sleep 0.3
    mv "$TEST_DIR/new" "$TEST_DIR/r2/data"
    wait_until '[[ $(segment_read) == three.* ]]'
    mv "$TEST_DIR/r2" "$TEST_DIR/r3"
    sleep 0.3
    mv "$TEST_DIR/r1" "$TEST_DIR/r2"
    wait_until '[[ $(segment_read) == one.* ]]'
    printf four >"$TEST_DIR/r2/data"
    wait_until '[[ $(segment_read) == four.* ]]'
}

# It need not be there yet, and may go: said once, and noticed as soon as it comes.
test_watch_waits_for_the_file() {
    file=$TEST_DIR/content
    start_daemon 'mode = "0644"; size = 100;' \
        "source = { type = \"file\"; path = \"$file\"; watch = true; };"
    wait_log 'No such file'
    sleep 1
    assert_eq "$(count_log 'No such file')" 1
    printf here >"$file"
    assert_eq "$(read_record)" here
}

# Whatever the writer is doing, each record is one content: a line of the same letters.
# Without what a watch takes, a change would go unnoticed: it is said whose limit that is, and tried
# again until it has passed.
test_no_inotify_instance() {
    local limit=/proc/sys/user/max_inotify_instances
    unshare --user --map-root-user sh -c "echo 0 >$limit" 2>/dev/null ||
        skip 'there are no user namespaces, with limits of their own'
    # shellcheck disable=SC2016
    daemon_prefix=(unshare --user --map-root-user sh -c '
        echo 0 >"$0"
        (until [ -e "$TEST_DIR/enough" ]; do sleep 0.05; done; echo 10 >"$0") &
        exec "$@"' "$limit")
    start first 'watch = true;'
    wait_log 'source file yields no record: .*: this user has as many inotify instances as it may'
    : >"$TEST_DIR/enough"
    wait_until '[[ $(segment_read) == first* ]]'
}

test_not_torn() {
    local writer record i
    start "$(printf 'a%.0s' {1..90})"
    (
        for ((i = 0; i < 100000; i++)); do
            printf '%090d' 0 | tr 0 "${letters:i % 26:1}" >"$TEST_DIR/new"
            mv "$TEST_DIR/new" "$file"
        done
    ) &
    writer=$!
    timeout "$PATIENCE_S" "$shm_client" --socket "$RUNTIME_DIRECTORY/shmd.sock" follow --count 2000 >"$TEST_DIR/followed"
    kill "$writer"
    while IFS= read -r record; do
        [[ ${#record} == 90 && -z ${record//${record:0:1}/} ]] || fail "torn: «$record»"
    done <"$TEST_DIR/followed"
    assert_eq "$(wc -l <"$TEST_DIR/followed")" 2000
}

# It says that it is empty, and the segment has less room than what might come of it.
test_of_the_kernel() {
    local layout
    for layout in 'layout = "plain"; size = 27;' 'layout = "ring"; size = 4096;'; do
        start_daemon 'mode = "0644";' "$layout" \
            'source = { type = "file"; path = "/proc/sys/kernel/ostype"; };'
        assert_eq "$(read_record)" Linux
        stop_daemon
    done
}

# Reload: another file, and back to the alphabet.
test_reload() {
    start one
    assert_eq "$(read_record)" one
    printf other >"$TEST_DIR/other"
    configure 'mode = "0644"; size = 100;' "source = { type = \"file\"; path = \"$TEST_DIR/other\"; };"
    reload_daemon
    assert_becomes other
    configure 'mode = "0644"; size = 100;'
    reload_daemon
    assert_becomes "$(segment_read | tr -d .)"
    wait_until '[[ $(segment_read) == *"$letters"* ]]'
}

run_tests "$@"
