#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The manual pages, the configuration file and the programs say the same.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_builddir=${top_builddir:-$top_srcdir}
. "$top_srcdir/tests/tap.sh"

# A page as plain text, without the marks of its formatting. It may be a template (.in).
page() {
    local file=$top_srcdir/man/$1
    [[ -f $file ]] || file=$file.in
    [[ -f $file ]] || fail "no man/$1"
    # \- is a hyphen; \fB, \fR and the like are fonts.
    sed -E -e 's/\\f[BIRP]//g' -e 's/\\-/-/g' -e 's/\\&//g' "$file"
}

# Long options in a text, one on each line. In mdoc a hyphen of an option may be the macro Fl.
options() {
    sed -E 's/^\.(.*[[:space:]])?Fl -/ --/; s/[[:space:]]Fl -/ --/g' |
        grep -oE '(^|[^[:alnum:]_-])--[a-z][a-z-]*' | grep -oE -- '--[a-z-]+' | sort -u
}

# compare PROGRAM PAGE
compare() {
    diff <("$top_builddir/$1" --help | options) <(page "$2" | options) ||
        fail "$1 --help (<) and $2 (>) differ"
}

test_options_of_shmd() {
    compare shmd shmd.8
}

test_options_of_shm_client() {
    compare shm-client shm-client.1
}

test_verbs_of_shm_client() {
    local verb
    for verb in read follow peek publish status audit help; do
        assert_contains "$("$top_builddir/shm-client" --help)" "$verb"
        assert_contains "$(page shm-client.1)" "$verb"
    done
}

# The settings as `name default`, with the names of groups before those in them.
settings() {
    : >"$TEST_DIR/empty.conf"
    "$top_builddir/shmd" --config "$TEST_DIR/empty.conf" --dump-config | awk '
        /^[a-z_]+ = \{/ { group = $1 "."; next }
        /^\};/ { group = ""; next }
        match($0, /^ *[a-z_]+ = /) { sub(/;$/, ""); print group $1, substr($0, RLENGTH + 1) }'
}

# Every setting has an entry of its own in the page, that says "default VALUE".
test_settings_and_defaults() {
    local name default text
    page shmd.conf.5 >"$TEST_DIR/page"
    assert_eq "$(settings | wc -l | sed 's/^[1-9][0-9]$/many/')" many 'number of settings'
    while read -r name default; do
        # From the entry's heading up to the next heading.
        text=$(awk -v name="$name" '
            /^\.(TP|SH|SS|It|Sh|Ss)/ { inside = 0; heading = 1 }
            heading && index($0, name) && !index($0, name "_") { inside = 1 }
            !/^\.(TP|SH|SS)/ { heading = 0 }
            inside { print }' "$TEST_DIR/page")
        [[ -n $text ]] || fail "shmd.conf(5) has no entry for $name"
        tr -s '\n ' ' ' <<<"$text" | grep -qiE "default $default([^[:alnum:]_]|\$)" ||
            fail "shmd.conf(5) does not say «default $default» of $name"
    done < <(settings)
}

test_no_page_knows_settings_that_are_not() {
    local name
    settings | cut -d ' ' -f 1 | grep -oE '[a-z_]+' | sort -u >"$TEST_DIR/known"
    while read -r name; do
        grep -qx "$name" "$TEST_DIR/known" || fail "shmd.conf(5) has an unknown setting $name"
    done < <(page shmd.conf.5 | grep -oE '^ *[a-z_]+ = ' | grep -oE '[a-z_]+')
}

test_pages_are_clean() {
    local file
    command -v mandoc >/dev/null || skip 'mandoc is not installed'
    for file in "$top_srcdir"/man/*.[1-8]; do
        mandoc -T lint -W warning "$file"
    done
}

run_tests "$@"
