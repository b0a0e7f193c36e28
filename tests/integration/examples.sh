#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The examples in conf/examples/ do what they say: each is run as it is, but for the paths.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

examples=$top_srcdir/conf/examples

# start NAME SED-EXPRESSION…
start() {
    local name=$1
    shift
    sed -e '' "${@/#/-e}" "$examples/$name.conf" >"$conf"
    start_daemon_again
}

client() {
    timeout "$PATIENCE_S" "$shm_client" "$@" --socket "$RUNTIME_DIRECTORY/shmd.sock"
}

# As they are, without any change.
test_all_are_accepted() {
    local file count=0
    for file in "$examples"/*.conf; do
        assert_exit 0 "$shmd" --check-config --config "$file"
        assert_eq "$output" '' "$file"
        count=$((count + 1))
    done
    ((count >= 5)) || fail "only $count examples"
}

# No two of them get into each other's way.
test_keys_differ() {
    assert_eq "$(grep -h '^key' "$examples"/*.conf | sort | uniq -d)" ''
}

# snippets FILE: each piece of a configuration that a page shows, into a file of its own: what stands
# between ``` (README) or .nf and .fi (manual pages), and begins with a setting.
snippets() {
    sed -E 's/\\-/-/g; s/\\&//g; s/\\\(dq/"/g' "$1" | awk -v name="$TEST_DIR/$(basename "$1")" '
        /^(```|\.nf|\.fi)/ { inside = !inside; first = 1; next }
        !inside || /^\.R[SE]/ { next }
        first { first = 0; wanted = /^[a-z_]+ = .*[;{]/; number += wanted }
        wanted { print > (name "." number ".snippet") }'
}

# Each is added to the file as it is installed; one with a key of its own takes the place of that.
test_snippets_of_the_pages_can_be_added() {
    local page snippet count=0
    for page in "$top_srcdir"/README.md "$top_srcdir"/man/*.[1-8]; do
        snippets "$page"
    done
    for snippet in "$TEST_DIR"/*.snippet; do
        # Whom the page means is known there.
        sed -E 's/@[a-z]+/@root/g; s/"alice /"root /; s/^group = "[a-z]+"/group = "root"/' "$snippet" \
            >"$TEST_DIR/added"
        cp "$top_srcdir/conf/shmd.conf" "$TEST_DIR/whole"
        ! grep -q '^key = ' "$TEST_DIR/added" || sed -i '/^key = /d' "$TEST_DIR/whole"
        cat "$TEST_DIR/added" >>"$TEST_DIR/whole"
        mv "$TEST_DIR/whole" "$conf"
        start_daemon_again
        [[ $(client status) == *'instance: '* ]] || fail "$(cat "$snippet")"
        stop_daemon
        count=$((count + 1))
    done
    diagnose "$count snippets"
    ((count >= 12)) || fail "only $count snippets were found"
}

test_sensor() {
    mkfifo "$TEST_DIR/sensor.fifo"
    start sensor "s|/run/sensor.fifo|$TEST_DIR/sensor.fifo|"
    # It never waits for readers, and there is none.
    for ((i = 1; i <= 20000; i++)); do echo "measurement $i"; done >"$TEST_DIR/sensor.fifo"
    wait_until '[[ $(client status) == *"records:        20000"* ]]'
    # Who comes later has the newest ones, without a gap.
    assert_exit 4 client follow --from oldest --timeout 0.1
    grep '^measurement' <<<"$output" >"$TEST_DIR/measured"
    assert_eq "$(tail -n 1 "$TEST_DIR/measured")" 'measurement 20000'
    assert_eq "$(awk 'NR > 1 && $2 != last + 1 { print } { last = $2 }' "$TEST_DIR/measured")" '' 'gaps'
    # Nobody takes them away from who comes after him: not by coming, and not by acknowledging.
    assert_exit 4 client follow --from oldest --timeout 0.1
    assert_eq "$(grep '^measurement' <<<"$output" | md5sum)" "$(md5sum <"$TEST_DIR/measured")"
    for ((i = 1; i <= 2; i++)); do
        assert_eq "$(client)" 'measurement 20000' 'the newest one'
    done
}

test_log_fan_out() {
    local i readers=()
    # Where there is no journal to follow, something that writes as journalctl does.
    printf '%s\n' '#!/bin/sh' 'i=0' \
        'while :; do i=$((i+1)); echo "{\"MESSAGE\":\"entry $i\",\"args\":\"$*\"}"; sleep 0.001; done' \
        >"$TEST_DIR/journalctl"
    chmod +x "$TEST_DIR/journalctl"
    start log-fan-out "s|/usr/bin/journalctl|$TEST_DIR/journalctl|"
    for i in 1 2 3; do
        client follow --from oldest --count 300 --name "reader-$i" >"$TEST_DIR/reader-$i" &
        readers+=($!)
    done
    wait "${readers[@]}"
    for i in 1 2 3; do
        assert_eq "$(sed -E 's/.*entry ([0-9]+).*/\1/' "$TEST_DIR/reader-$i" |
            awk 'NR > 1 && $1 != last + 1 { print } { last = $1 }')" '' "reader $i"
        assert_contains "$(head -n 1 "$TEST_DIR/reader-$i")" '--follow --lines=1 --merge --output=json'
    done
}

# The real one, where there is a journal.
test_log_fan_out_of_the_journal() {
    command -v journalctl >/dev/null || skip 'journalctl is not installed'
    timeout "$PATIENCE_S" journalctl --lines=1 --output=json 2>/dev/null | grep -q MESSAGE ||
        skip 'there is no journal that this user may read'
    start log-fan-out
    client follow --from oldest --count 1 | grep -q MESSAGE
}

test_push_bus() {
    local i readers=() publishers=()
    start push-bus
    for i in 1 2; do
        client follow --from oldest --count 2000 --name "reader-$i" >"$TEST_DIR/reader-$i" &
        readers+=($!)
        wait_log "calls itself reader-$i\\) subscribed" # before there is anything to be missed
    done
    for i in a b; do
        seq -f "$i %.0f" 1000 | client publish --name "publisher-$i" &
        publishers+=($!)
    done
    wait "${publishers[@]}"
    wait "${readers[@]}"
    # The same for both readers; and of each publisher, all in order.
    cmp "$TEST_DIR/reader-1" "$TEST_DIR/reader-2"
    for i in a b; do
        assert_eq "$(grep "^$i" "$TEST_DIR/reader-1" | md5sum)" \
            "$(seq -f "$i %.0f" 1000 | md5sum)" "publisher $i"
    done
}

test_feature_flags() {
    echo 'checkout=old' >"$TEST_DIR/flags"
    start feature-flags "s|/etc/flags|$TEST_DIR/flags|"
    assert_eq "$("$shm_client" peek --key 0x5e450003)" 'checkout=old'
    client follow --count 2 >"$TEST_DIR/out" &
    wait_until '[[ -s $TEST_DIR/out ]]'
    echo 'checkout=new' >"$TEST_DIR/new"
    mv "$TEST_DIR/new" "$TEST_DIR/flags"
    wait $!
    assert_contains "$(tail -n 2 "$TEST_DIR/out")" 'checkout=new'
    assert_eq "$(client)" 'checkout=new'
}

test_clock() {
    local first second
    start clock
    first=$(client)
    second=$(client)
    [[ $first =~ ^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:.]+Z && $second > $first ]] ||
        fail "«$first», «$second»"
}

run_tests "$@"
