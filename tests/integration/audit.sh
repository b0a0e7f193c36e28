#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shm-client audit reads journal files. systemd-journal-remote makes them of text, and believes any
# _UID there: so a case can play the daemon, and a forger.
set -euo pipefail
. "$(dirname "$0")/../tap.sh"

top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_builddir=${top_builddir:-$top_srcdir}
remote=/lib/systemd/systemd-journal-remote
daemon_uid=994
epoch=0123456789abcdef0123456789abcdef
start=1700000000 # of the first entry, in seconds; each further one comes a second later

set_up() {
    number=0
    mkdir "$TEST_DIR/journal"
    : >"$TEST_DIR/export"
}

# entry UID FIELD=VALUE…
entry() {
    printf '%s\n' "__REALTIME_TIMESTAMP=$((start + number))000000" \
        "__MONOTONIC_TIMESTAMP=$((1 + number))000000" "_BOOT_ID=$epoch" "_UID=$1" _PID=77 \
        "MESSAGE=entry $number" "${@:2}" '' >>"$TEST_DIR/export"
    number=$((number + 1))
}

# What all entries of the daemon have, and those of a client.
daemon_entry() {
    entry "$daemon_uid" SYSLOG_IDENTIFIER=shmd "SHMD_INSTANCE=${instance:-shmd}" "SHMD_EPOCH=$epoch" "$@"
}

# acknowledged SEQUENCE SESSION FIRST [LAST]: of alice
acknowledged() {
    daemon_entry SHMD_EVENT=acknowledged "SHMD_ACK_SEQ=$1" "SHMD_SESSION=$2" "SHMD_RECORD_FIRST=$3" \
        "SHMD_RECORD_LAST=${4:-$3}" "SHMD_RECORDS=$((${4:-$3} - $3 + 1))" SHMD_BYTES=26 \
        SHMD_CLIENT_VERIFIED=yes SHMD_CLIENT_UID=1000 SHMD_CLIENT_USER=alice
}

# anonymous SEQUENCE RECORD
anonymous() {
    daemon_entry SHMD_EVENT=acknowledged "SHMD_ACK_SEQ=$1" "SHMD_RECORD_FIRST=$2" "SHMD_RECORD_LAST=$2" \
        SHMD_RECORDS=1 SHMD_BYTES=26 SHMD_CLIENT_VERIFIED=no
}

# A short story: alice has a session, and an anonymous client comes by.
tell_story() {
    daemon_entry SHMD_EVENT=epoch-started
    daemon_entry SHMD_EVENT=session-started SHMD_SESSION=1 SHMD_RECORD_FIRST=5 SHMD_CLIENT_UID=1000
    acknowledged 1 1 5
    acknowledged 2 1 6 8
    anonymous 3 9
    acknowledged 4 1 9 10
    daemon_entry SHMD_EVENT=session-ended SHMD_SESSION=1 SHMD_RECORD_LAST=10 SHMD_CLIENT_UID=1000
}

# Leaves out the entry with that number, counted from 0.
forget() {
    perl -i -000 -ne "print if \$. != $1 + 1" "$TEST_DIR/export"
}

# audit EXIT-STATUS [OPTION…]: makes the journal, and its verdict in $output
audit() {
    [[ -x $remote ]] || skip 'systemd-journal-remote is not installed'
    "$remote" --output="$TEST_DIR/journal/test.journal" "$TEST_DIR/export" 2>"$TEST_DIR/remote" ||
        fail "$(cat "$TEST_DIR/remote")"
    audit_again "$@"
}

# Of the journal that is there.
audit_again() {
    assert_exit "$1" timeout "$PATIENCE_S" "$top_builddir/shm-client" audit --directory "$TEST_DIR/journal" \
        --user "$daemon_uid" "${@:2}"
}

test_whole() {
    tell_story
    audit 0
    assert_eq "$output" "instance shmd, epoch $epoch
  entries:       4, numbers 1-4
  acknowledged:  7 records, 104 bytes
user alice (uid 1000): 1 session, 6 records, 78 bytes
anonymous: 1 record, 26 bytes
whole"
}

test_nothing() {
    mkdir "$TEST_DIR/empty"
    assert_exit 1 "$top_builddir/shm-client" audit --directory "$TEST_DIR/empty"
    assert_contains "$output" "there is no journal file in $TEST_DIR/empty: nothing can be proven"
    entry 0 SYSLOG_IDENTIFIER=other
    audit 1
    assert_eq "$output" "it CANNOT be told whether it is whole: the journal holds no entry of shmd from uid $daemon_uid"
    audit_again 1 --json
    assert_contains "$output" '{"whole":false,'
}

# A name that is misspelt is no instance without a fault, and neither is a user.
test_nothing_of_those_that_were_asked_for() {
    tell_story
    audit 1 --instance ordres
    assert_eq "$output" "it CANNOT be told whether it is whole: the journal holds no entry of ordres from uid $daemon_uid"
    audit_again 1 --user 1234
    assert_contains "$output" $'\nit CANNOT be told whether it is whole: the journal holds no entry of shmd from uid 1234; and there are 7 foreign entries that claim to be ours (by uid '"$daemon_uid)"
    # Where there are some at another time, it is known that there is none.
    audit_again 0 --instance shmd --since today
    assert_eq "$output" 'whole: the journal holds no entry of shmd'
}

# P3: whatever the journal loses, and be it one entry.
test_an_entry_is_missing() {
    tell_story
    forget 3
    audit 1
    assert_contains "$output" $'\n'"missing: entry 2 of shmd, epoch $epoch"$'\n' \
        $'\n'"holes: records 6-8 of session 1 of shmd, epoch $epoch"$'\n' \
        $'\nNOT whole: 1 entry missing, 3 records in no entry'
}

test_an_entry_is_repeated() {
    tell_story
    acknowledged 2 1 6 8
    audit 1
    assert_contains "$output" $'\n'"repeated: entry 2 of shmd, epoch $epoch"$'\n' \
        '7 records, 104 bytes' $'\nNOT whole: 1 entry repeated'
}

# Whoever sent it, _UID says; with and without what is looked for first.
test_forged_entries() {
    local forger=(SHMD_ACK_SEQ=5 SHMD_INSTANCE=shmd "SHMD_EPOCH=$epoch" SHMD_RECORD_FIRST=11
        SHMD_RECORD_LAST=11 SHMD_RECORDS=1 SHMD_BYTES=26 SHMD_CLIENT_VERIFIED=no)
    tell_story
    entry 1000 SHMD_EVENT=acknowledged "${forger[@]}"
    entry 1001 SHMD_EVENT=of-my-own
    entry 1002 SYSLOG_IDENTIFIER=shmd "${forger[@]}"
    audit 6
    assert_contains "$output" 'entries:       4, numbers 1-4' \
        $'\nforeign: entry from uid 1000, pid 77, received 2023-11-1' \
        $'\nforeign: entry from uid 1001, ' $'\nforeign: entry from uid 1002, ' \
        $'\nwhole, and 3 foreign entries that claim to be ours (by uid 1000, 1001, 1002)'
}

# Files that sd-journal passes over without a word: what they held, nobody knows.
test_damaged_files() {
    tell_story
    audit 0
    cp "$TEST_DIR/journal/test.journal" "$TEST_DIR/whole"
    truncate -s -1000 "$TEST_DIR/journal/test.journal"
    audit_again 1
    assert_contains "$output" 'it CANNOT be told whether it is whole: 1 journal file is truncated or damaged' \
        "such as $TEST_DIR/journal/test.journal"
    : >"$TEST_DIR/journal/test.journal"
    cp "$TEST_DIR/whole" "$TEST_DIR/journal/other.journal"
    audit_again 1 --json
    assert_contains "$output" '{"whole":false,' '"damaged_files":1,'
    # What is no journal, sd-journal does not read, and nothing is missing with it.
    rm "$TEST_DIR/journal/test.journal"
    gzip <"$TEST_DIR/whole" >"$TEST_DIR/journal/old.journal.gz"
    mkdir "$TEST_DIR/journal/directory.journal"
    mkfifo "$TEST_DIR/journal/fifo.journal"
    audit_again 0
    ln -s nowhere "$TEST_DIR/journal/link.journal"
    audit_again 1
    assert_contains "$output" "such as $TEST_DIR/journal/link.journal"
}

# After a power failure, a file may have its length, and pages of zeros.
test_damaged_pages() {
    local page pages
    tell_story
    audit 0
    cp "$TEST_DIR/journal/test.journal" "$TEST_DIR/whole"
    mapfile -t pages < <(grep -aob SHMD_ "$TEST_DIR/whole" |
        awk -F: '{ page = int($1 / 4096) } page != last { print page } { last = page }')
    ((${#pages[@]} > 0)) || fail 'there is no entry'
    for page in "${pages[@]}"; do
        cp "$TEST_DIR/whole" "$TEST_DIR/journal/test.journal"
        dd if=/dev/zero of="$TEST_DIR/journal/test.journal" bs=4096 count=1 seek="$page" conv=notrunc status=none
        audit_again 1
        assert_contains "$output" ': 1 journal file is truncated or damaged, such as '
    done
}

# An index is not what is audited: where it is damaged, nothing hides.
test_a_damaged_index() {
    local story offset size
    tell_story
    audit 0
    story=$output
    # The header says where the hash table is by which sd-journal looks up matches, and how large.
    read -r offset size <<<"$(od -An -t u8 -j 104 -N 16 "$TEST_DIR/journal/test.journal")"
    dd if=/dev/zero of="$TEST_DIR/journal/test.journal" bs=64k count="$size" seek="$offset" \
        iflag=count_bytes oflag=seek_bytes conv=notrunc status=none
    audit_again 0
    assert_eq "$output" "$story"
}

# journald gives that name to a file that had not been closed when it came back.
test_a_file_that_was_left_open() {
    tell_story
    audit 0
    mv "$TEST_DIR/journal/test.journal" "$TEST_DIR/journal/test@0001-0002.journal~"
    audit_again 0
    assert_contains "$output" $'\nwhole; what came last may be lost of 1 journal file that was not closed, such as '
    audit_again 0 --json
    assert_contains "$output" '"left_open_files":1}'
}

# The clock was set back, and then right again: the bounds leave no gap, and end at no entry in between.
test_a_clock_that_was_set() {
    local real=$start
    tell_story
    start=$((real + 5000)) anonymous 5 11
    anonymous 6 12
    audit 0 --until "@$((real + 100))"
    assert_contains "$output" 'numbers 1-6'
    audit_again 0 --since "@$((real + 4000))"
    assert_contains "$output" 'entries:       1, number 5'
}

# It was an hour ahead when a session ended, or was set back before --until: what is missing at the
# end of a session shows all the same.
test_an_end_in_the_future() {
    local real=$start
    daemon_entry SHMD_EVENT=started
    start=$(($(date +%s) + 3600))
    tell_story
    forget 6
    audit 1
    assert_contains "$output" $'\nholes: records 9-10 of session 1 of shmd, '
    start=$real anonymous 4 11
    rm "$TEST_DIR/journal/test.journal"
    audit 1 --until "@$((real + 100))"
    assert_contains "$output" $'\nholes: records 9-10 of session 1 of shmd, '
}

# More names of events than anybody has an index for: none hides behind the others.
test_many_forged_names() {
    local i
    for ((i = 0; i < 400; i++)); do
        entry 1000 "SHMD_EVENT=name-$i"
    done
    tell_story
    forget 402
    audit 1
    assert_contains "$output" $'\nforeign: and 380 more\n' 'NOT whole: 1 entry missing, ' \
        '; and there are 400 foreign entries that claim to be ours (by uid 1000, ...)'
}

test_the_beginning_was_vacuumed() {
    tell_story
    forget 0
    forget 0
    forget 0
    audit 0
    assert_contains "$output" 'entries:       3, numbers 2-4; 1 vacuumed before' \
        'whole since the first entry; 1 before that is not there'
}

test_since_and_until() {
    tell_story
    audit 0 --since "@$((start + 3))" --until "@$((start + 4))"
    assert_contains "$output" 'entries:       2, numbers 2-3; 1 vacuumed before' '3 records, 26 bytes'
    TZ=UTC audit_again 0 --since '2023-11-14 22:13:25'
    assert_contains "$output" 'entries:       1, number 4; 3 vacuumed before'
    audit_again 0 --since today
    assert_eq "$output" 'whole: the journal holds no entry of shmd'
    audit_again 0 --until -99999h
    assert_eq "$output" 'whole: the journal holds no entry of shmd'
}

test_instances() {
    tell_story
    instance=orders acknowledged 1 1 1
    instance=orders acknowledged 3 1 2
    audit 1
    assert_contains "$output" $'\n'"missing: entry 2 of orders, epoch $epoch"$'\n'
    audit_again 0 --instance shmd
    audit_again 1 --instance orders
    assert_contains "$output" 'NOT whole: 1 entry missing'
}

test_json() {
    tell_story
    forget 3
    audit 1 --json
    assert_contains "$output" '{"whole":false,"epochs":[{"instance":"shmd","epoch":"'"$epoch"'"' \
        '"missing":{"count":1,"places":1,"listed":[{"instance":"shmd","epoch":"'"$epoch"'","first":2,"last":2}]}'
    perl -MJSON::PP -e 'JSON::PP->new->decode(join "", <STDIN>)' <<<"$output"
    audit_again 1 --output json
    assert_contains "$output" '"whole":false'
}

# A file that may not be read could hold anything: nothing is proven then.
test_no_permission() {
    tell_story
    audit 0
    chmod 000 "$TEST_DIR"/journal/*
    if [[ -r $(echo "$TEST_DIR"/journal/*) ]]; then
        chmod -R o+rX "$TEST_DIR"
        chmod 0600 "$TEST_DIR"/journal/*
        cp "$top_builddir/shm-client" "$TEST_DIR/shm-client" # where others reach it
        assert_exit 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$TEST_DIR/shm-client" audit \
            --directory "$TEST_DIR/journal"
    else
        audit_again 1
    fi
    assert_eq "$output" 'shm-client: cannot read all of the journal: no permission: root may, and the group systemd-journal'
}

test_errors() {
    assert_exit 1 "$top_builddir/shm-client" audit --directory "$TEST_DIR/none"
    assert_contains "$output" "shm-client: cannot read the journal in $TEST_DIR/none: No such file"
    assert_exit 2 "$top_builddir/shm-client" audit --since soon
    assert_contains "$output" "--since cannot be 'soon': give it \"YYYY-MM-DD"
    assert_exit 2 "$top_builddir/shm-client" audit --until ''
    assert_exit 2 "$top_builddir/shm-client" audit --since now --until -1h
    assert_contains "$output" '--since lies behind --until'
    assert_exit 2 "$top_builddir/shm-client" audit --user 'no one'
    assert_contains "$output" "--user cannot be 'no one'"
    assert_exit 1 "$top_builddir/shm-client" audit --user root --directory "$TEST_DIR/none"
    assert_exit 2 "$top_builddir/shm-client" audit --output hex
    assert_exit 2 "$top_builddir/shm-client" audit --key 5
    assert_exit 2 "$top_builddir/shm-client" read --since now
    if [[ -w /dev/full ]]; then
        assert_exit 1 sh -c "exec '$top_builddir/shm-client' audit --directory '$TEST_DIR/journal' >/dev/full"
    fi
}

run_tests "$@"
