#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every kind of journal entry is explained in the message catalog, and nothing else is.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

catalog=$top_srcdir/systemd/shmd.catalog

test_every_event_has_one_entry() {
    local events entries
    events=$(grep -oE '\b[0-9a-f]{32}\b' "$top_srcdir/src/daemon/events.h" | sort)
    entries=$(sed -nE 's/^-- ([0-9a-f]{32})( .*)?$/\1/p' "$catalog" | sort)
    [[ -n $events ]] || fail 'no MESSAGE_ID found in events.h'
    assert_eq "$(uniq -d <<<"$events")" '' 'ids that two events share'
    diff <(echo "$events") <(echo "$entries") || fail 'events.h (<) and the catalog (>) differ'
}

# An entry is: "-- ID", Subject:, Defined-By:, Support:, an empty line, the text.
test_every_entry_is_complete() {
    awk '
        function check() {
            if (id && !(subject && defined && text)) { print "incomplete: " id; bad = 1 }
        }
        /^-- / { check(); id = $2; subject = defined = text = 0; next }
        /^Subject: ./ { subject = 1; next }
        /^Defined-By: shmd$/ { defined = 1; next }
        /^Support: ./ { next }
        subject && /^.+$/ { text = 1 }
        END { check(); exit bad }' "$catalog"
}

# Every @FIELD@ is one that the daemon sends.
test_fields_exist() {
    local field
    for field in $(grep -oE '@[A-Z_]+@' "$catalog" | tr -d @ | sort -u); do
        grep -rqE "\"$field(=|\")" "$top_srcdir/src/daemon" || fail "nothing sends $field"
    done
}

# One malformed file makes the whole update fail, for everybody.
test_catalog_is_parsed() {
    command -v journalctl >/dev/null || skip 'journalctl is not installed'
    mkdir -p "$TEST_DIR/usr/lib/systemd/catalog" "$TEST_DIR/var/lib/systemd/catalog"
    cp "$catalog" "$TEST_DIR/usr/lib/systemd/catalog/"
    journalctl --root="$TEST_DIR" --update-catalog
    assert_eq "$(journalctl --root="$TEST_DIR" --list-catalog | wc -l)" \
        "$(grep -cE '^-- [0-9a-f]{32}' "$catalog")" 'entries as journalctl sees them'
}

run_tests "$@"
