#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Bad input in the configuration: `path:line: what is wrong, what was expected`, exit status 78, and
# nothing created. Much of it is what libconfig takes silently or strangely.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

# assert_refused MESSAGE-PART…: by --check-config and at start, with the parts in the message
assert_refused() {
    assert_exit 78 timeout "$PATIENCE_S" "$shmd" --config "$conf" --check-config
    assert_contains "$output" "$@"
    assert_eq "$(wc -l <<<"$output")" 1 "lines of the message «$output»"
    assert_exit 78 timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "$@"
    assert_eq "$(count_segments)" 0 'segments created'
    assert_eq "$(ls -A "$RUNTIME_DIRECTORY")" '' 'files created'
}

# refuse LINE-NUMBER MESSAGE-PART LINE…: a configuration of these lines is refused for that line
refuse() {
    configure "${@:3}"
    assert_refused "$conf:$1: " "$2" 'expected'
}

accept() {
    configure "$@"
    assert_exit 0 timeout "$PATIENCE_S" "$shmd" --config "$conf" --check-config
    assert_eq "$output" '' 'output of --check-config'
}

test_unreadable_files() {
    conf=$TEST_DIR/none
    assert_refused "$conf: " 'No such file'
    conf=$TEST_DIR
    assert_refused "$conf: " 'directory'
    conf=$TEST_DIR/fifo
    mkfifo "$conf"
    assert_refused "$conf: " 'regular file'
    conf=/dev/zero
    assert_refused "$conf: " 'regular file'
}

test_file_without_read_permission() {
    need_other_users
    configure 'key = 5678;'
    chmod 0600 "$conf"
    chmod 0777 "$RUNTIME_DIRECTORY"
    assert_exit 78 "${alice[@]}" timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" "$conf: cannot be read: Permission denied for u" ': let it read the file'
    assert_eq "$(count_segments)" 0
}

# Names stand in a text, with spaces between them.
test_names_with_commas() {
    refuse 1 'allow.subscribe names "root,", expected users, @groups of this system, or *, with spaces and no commas between them' \
        'allow = { subscribe = "root, nobody"; };'
    accept 'allow = { subscribe = "root nobody"; };'
}

# 10 MB cost libconfig 41 s of processor time. (Of that, others take none.)
test_huge_file() {
    head -c 10000000 /dev/zero | tr '\0' ' ' >"$conf"
    ulimit -t 10
    assert_refused "$conf: " '64 KiB'
}

test_file_of_just_the_limit() {
    {
        printf 'size = 99; #'
        head -c $((65536 - 13)) /dev/zero | tr '\0' 'x'
        echo
    } >"$conf"
    assert_exit 0 "$shmd" --config "$conf" --check-config
    printf 'x' >>"$conf"
    assert_refused "$conf: " '64 KiB'
}

test_syntax_errors() {
    refuse 2 'size has no value before ;, expected an integer' 'key = 5678;' 'size = ;'
    refuse 1 '' '}'
    refuse 2 '' 'key'
    refuse 1 '' $'\x7fELF\x01\xff\xfe'
}

# Integers that libconfig wraps to 32 bits without a word: 4294967296 would be IPC_PRIVATE.
test_integers_that_wrap() {
    refuse 1 'key' 'key = 4294967296;'
    refuse 1 'key' 'key = 0x100000000;'
    refuse 2 'key' '' 'key = 4294967296L;'
    refuse 1 'size' 'size = 4294967323;'
    refuse 1 '' 'key = 12345678901234567890;'
    refuse 1 '' 'size = 99999999999999999999;'
    refuse 1 '' 'key = 0xffffffffffffffff;'
    refuse 1 '' 'key = 18446744073709557294;'
    refuse 3 'size' 'key = 1;' '' 'size' '=' '4294967323;'
}

# The same values are fine where the range is that wide.
test_wide_integers() {
    accept 'key = 4294967295;'
    accept 'key = 0xFFFFFFFF;'
    accept 'key = 2147483648L;'
    accept 'size = 5000000000; allow_large = true;'
    accept 'size = 1099511627776L; allow_large = true;'
    accept 'key = 5678L;'
    assert_contains "$("$shmd" --config "$conf" --dump-config)" 'key = 5678;'
}

# Numbers in comments and strings are text.
test_numbers_that_are_not_settings() {
    accept '# 99999999999999999999' '// 4294967296' '/* 99999999999999999999' '*/ key = 5;' \
        'owner = "";  # "99999999999999999999'
    refuse 1 'owner' 'owner = "99999999999999999999";'
}

test_out_of_range() {
    refuse 1 'key' 'key = 0;'
    refuse 1 'key' 'key = -1;'
    refuse 1 'size' 'size = 0;'
    refuse 1 'size' 'size = 1;'
    refuse 1 'size' 'size = -27;'
    refuse 1 'allow_large' 'size = 1073741825;'
    refuse 1 'size' 'size = 1099511627777; allow_large = true;'
    refuse 1 'poll_interval_ms' 'poll_interval_ms = 0;'
    refuse 1 'poll_interval_ms' 'poll_interval_ms = 60001;'
    refuse 2 'queue' 'log = {' 'queue = 1; };'
    refuse 2 'queue' 'log = {' 'queue = 4097; };'
    accept 'size = 2;'
    accept 'size = 1073741824;'
    accept 'poll_interval_ms = 60000; log = { queue = 2; };'
}

# A value of another type looks absent to libconfig.
test_wrong_types() {
    local value
    for value in 1.5 '"5"' true '[]' '[5]' '(5)' '{}'; do
        refuse 2 'key' '# a comment' "key = $value;"
    done
    for value in 27 '"true"' '[]' '{}' 1.0; do
        refuse 1 'keep' "keep = $value;"
    done
    for value in 0666 666 '[]' 'true' 6.66; do
        refuse 1 'mode' "mode = $value;"
    done
    refuse 1 'owner' 'owner = 0;'
    refuse 1 'source' 'source = "alphabet";'
    refuse 1 'type' 'source = { type = 1; };'
    refuse 1 'log' 'log = "info";'
    refuse 1 'level' 'log = { level = 6; };'
}

test_modes() {
    local mode
    for mode in '' 66 06666 0888 rw-rw-rw- 0066 0444 0466 1666 4755 ' 0666' '0666 ' -666 0x1b6; do
        refuse 1 'mode' "mode = \"$mode\";"
    done
    for mode in 0600 0640 666 0666 0777; do
        accept "mode = \"$mode\";"
    done
}

test_words() {
    refuse 1 'level' 'log = { level = "loud"; };'
    refuse 1 'level' 'log = { level = ""; };'
    refuse 1 'type' 'source = { type = "alphabets"; };'
    refuse 1 'type' 'source = { type = ""; };'
    refuse 1 'owner' 'owner = "no-such-user-here";'
    refuse 1 'group' 'group = "no-such-group-here";'
    refuse 1 'owner' 'owner = "4294967295";'
    refuse 1 'owner' 'owner = "-1";'
}

# libconfig accepts any name: a misspelt setting would silently keep its default.
test_unknown_settings() {
    refuse 1 'keys' 'keys = 5678;'
    refuse 1 'KEY' 'KEY = 5678;'
    refuse 3 'poll_interval' 'key = 1;' '' 'poll_interval = 10;'
    refuse 1 'colour' 'source = { type = "alphabet"; colour = 1; };'
    refuse 2 'file' 'log = {' 'file = "/x"; };'
    refuse 1 'shmd' 'shmd = { key = 5678; };'
    refuse 1 '' "$(printf 'x%.0s' {1..500}) = 1;"
    refuse 1 '' "log = { $(printf 'x%.0s' {1..500}) = 1; };"
}

test_setting_given_twice() {
    refuse 2 '' 'key = 1;' 'key = 2;'
}

# A NUL byte ends the text for libconfig, whatever follows.
test_nul_bytes() {
    printf 'key = 5678;\n\0size = 1;\n' >"$conf"
    assert_refused "$conf:2: " 'NUL'
    printf 'owner = "\0";' >"$conf"
    assert_refused "$conf:1: " 'NUL'
    printf '\0' >"$conf"
    assert_refused "$conf:1: " 'NUL'
}

# A NUL that is written as an escape is one all the same.
test_escaped_nul() {
    refuse 1 '\x00' 'owner = "\x00root";'
    refuse 1 '\x00' 'source = { type = "alphabet\x00s"; };'
    refuse 1 '\x00' 'mode = "0666\x00";'
}

test_include() {
    echo 'key = 99;' >"$TEST_DIR/other.conf"
    refuse 1 '@include' "@include \"$TEST_DIR/other.conf\""
    refuse 2 '@include' '' ' @include "other.conf"'
    refuse 1 '@include' 'log = { @include "other.conf"' '};'
    accept '# @include "other.conf"' 'owner = ""; # @include "x"'
}

test_deep_nesting() {
    refuse 1 '' "$(printf 'a = {%.0s' {1..5000})"
    refuse 1 '' "a = $(printf '(%.0s' {1..20000})"
}

test_empty_file_means_defaults() {
    accept ''
    : >"$conf"
    assert_exit 0 "$shmd" --config "$conf" --check-config
    assert_contains "$("$shmd" --config "$conf" --dump-config)" 'key = 5678;' 'size = 27;' \
        'mode = "0666";' 'poll_interval_ms = 10;' 'type = "alphabet";'
}

# For libconfig a comment ends with a newline, and with nothing else.
test_last_line_without_newline() {
    printf 'key = 5678' >"$conf"
    assert_exit 0 "$shmd" --config "$conf" --check-config
    printf 'key = 5678; # the original one' >"$conf"
    assert_exit 0 "$shmd" --config "$conf" --check-config
}

# What --dump-config prints is accepted, means the same, and so dumps identically.
test_dump_config_round_trip() {
    local first
    for settings in '' 'key = 0xffffffff; size = 1099511627776; allow_large = true;' \
        'mode = "640"; owner = "0"; group = "root"; keep = true; lock_memory = true;' \
        'poll_interval_ms = 60000; log = { level = "err"; queue = 2; }; source = { };'; do
        configure "$settings"
        first=$("$shmd" --config "$conf" --dump-config)
        configure "$first"
        assert_exit 0 "$shmd" --config "$conf" --check-config
        assert_eq "$("$shmd" --config "$conf" --dump-config)" "$first"
    done
    assert_contains "$first" 'poll_interval_ms = 60000;' 'level = "err";' 'queue = 2;'
}

# The file that is installed says what holds without it: as it is, and with all its settings. What is
# set in it is the original program's segment, and nothing else.
test_installed_file_is_the_defaults() {
    local defaults file=$top_srcdir/conf/shmd.conf
    configure ''
    defaults=$("$shmd" --config "$conf" --dump-config)
    assert_eq "$("$shmd" --config "$file" --dump-config)" "$defaults" 'configuration'
    assert_eq "$(grep -v '^#' "$file" | grep . | paste -sd ' ')" 'key = 5678;'
    sed -E 's/^#([^ #]|    )/\1/' "$file" >"$conf"
    assert_eq "$("$shmd" --config "$conf" --dump-config)" "$defaults" 'configuration, with all of it'
    # Each setting stands there, with its line of help before it.
    diff <(sort -u <<<"$defaults") <(sort -u "$conf") | grep '^<' >"$TEST_DIR/missing" || true
    assert_eq "$(cat "$TEST_DIR/missing")" '' 'missing in the file'
}

test_dump_of_a_refused_file() {
    configure 'key = 0;'
    assert_exit 78 "$shmd" --config "$conf" --dump-config
    assert_contains "$output" "$conf:1: "
}

# Bad input on the command line: what is wrong, exit status 2, nothing created.
test_command_line() {
    local arguments
    configure ''
    for arguments in '--no-such-option' '-x' '--config' 'operand' "--config $conf operand" \
        '--instance' "--config $conf --check-config=1" \
        '--reload' '--reload 0' '--reload -1' '--reload 99999999999' '--reload 1x'; do
        # shellcheck disable=SC2086
        assert_exit 2 timeout "$PATIENCE_S" "$shmd" $arguments
        [[ -n $output ]] || fail "no message for «$arguments»"
    done
    assert_eq "$(count_segments)" 0
}

# A name that no instance can have, the main one's among them, and a socket that can have no path:
# refused as a configuration is, so that systemd does not try again.
test_instance_names() {
    local name directory
    directory=$TEST_DIR/run-$(printf 'x%.0s' {1..80})
    configure ''
    for name in '' . .hidden ../x /etc/passwd 'a b' shmd "$(printf 'x%.0s' {1..93})" \
        "$(printf 'x%.0s' {1..5000})"; do
        assert_exit 78 timeout "$PATIENCE_S" "$shmd" --config "$conf" --instance "$name"
        assert_contains "$output" 'cannot be an instance: expected a name of up to 92 letters'
    done
    mkdir "$directory"
    RUNTIME_DIRECTORY=$directory assert_exit 78 timeout "$PATIENCE_S" "$shmd" --config "$conf"
    assert_contains "$output" 'the path of the socket is too long, expected at most 107 bytes'
    assert_eq "$(find "$directory" -type f)" '' 'files'
    assert_exit 78 timeout "$PATIENCE_S" "$shmd" --config "$conf" --socket "$directory/$(basename "$directory")"
    assert_eq "$(count_segments)" 0
    # The longest name that there is.
    name=$(printf 'x%.0s' {1..92})
    assert_exit 0 "$shmd" --config "$conf" --instance "$name" --check-config
}

test_help_and_version() {
    assert_exit 0 "$shmd" --help
    assert_contains "$output" '--config' '--instance' '--check-config' '--dump-config' '--reload' \
        '--version'
    assert_exit 0 "$shmd" --version
    assert_contains "$output" 'shmd '
    assert_exit 0 "$shmd" -h
    assert_exit 0 "$shmd" -V
}

run_tests "$@"
