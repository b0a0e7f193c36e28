#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The faults that are planted to test the tests (tests/mutants/run, which takes long) can still be
# planted, after each change of the source.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

# A tree of our own, to be changed, of what the check reads: $tree.
copy_tree() {
    tree=$TEST_DIR/tree
    mkdir -p "$tree/tests" "$tree/scripts"
    cp -r "$top_srcdir/src" "$tree/src"
    cp -r "$top_srcdir/tests/mutants" "$tree/tests/mutants"
    cp "$top_srcdir/scripts/lib.sh" "$tree/scripts/lib.sh"
    chmod -R u+w "$tree"
}

# A field of the first fault.
first() {
    sed -n "s/^$1  *//p" "$tree/tests/mutants/list" | head -n 1
}

test_every_fault_can_be_planted() {
    assert_exit 0 "$top_srcdir/tests/mutants/run" --check
    assert_contains "$output" 'faults can be planted'
}

# Faults are spread over all of the source.
test_every_folder_has_faults() {
    local folder
    for folder in "$top_srcdir"/src/*/; do
        folder=src/$(basename "$folder")
        grep -q "^file $folder/" "$top_srcdir/tests/mutants/list" || fail "$folder has no fault"
    done
}

test_a_changed_line_is_told() {
    copy_tree
    : >"$tree/$(first file)"
    assert_exit 2 "$tree/tests/mutants/run" --check
    assert_contains "$output" "$(first name): the line has changed: update tests/mutants/list" \
        "$(first file) has 0 times"
}

test_a_line_that_is_there_twice_is_told() {
    copy_tree
    cp "$tree/$(first file)" "$TEST_DIR/copy"
    cat "$TEST_DIR/copy" >>"$tree/$(first file)"
    assert_exit 2 "$tree/tests/mutants/run" --check
    assert_contains "$output" "$(first name): the line has changed" "$(first file) has 2 times"
}

test_a_file_that_is_gone_is_told() {
    copy_tree
    rm "$tree/$(first file)"
    assert_exit 2 "$tree/tests/mutants/run" --check
    assert_contains "$output" "there is no $(first file)"
}

# Nothing is planted where an entry says less than it should, or where it is asked for by another
# name.
test_a_list_that_is_not_one_is_refused() {
    copy_tree
    assert_exit 2 "$tree/tests/mutants/run" --check nothing-of-this-name
    assert_contains "$output" 'there is no fault «nothing-of-this-name»'
    printf '\nname half-an-entry\nfile src/base/text.c\n' >>"$tree/tests/mutants/list"
    assert_exit 2 "$tree/tests/mutants/run" --check
    assert_contains "$output" '«half-an-entry» has no field «kind»'
}

run_tests "$@"
