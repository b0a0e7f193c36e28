#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Bash completion of shm-client: it offers what the program takes, and all of it.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_builddir=${top_builddir:-$top_srcdir}
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/completions/shm-client"

# What is offered for the last of these words, in alphabetical order.
offered() {
    COMP_WORDS=(shm-client "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _shm_client
    printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
}

test_verbs() {
    assert_eq "$(offered '')" 'audit follow help peek publish read status'
    assert_eq "$(offered f)" 'follow'
    assert_eq "$(offered --key 5 p)" 'peek publish'
    # The value of an option is no verb.
    assert_eq "$(offered --name status --ano)" '--anonymous'
}

test_values() {
    assert_eq "$(offered --output '')" 'hex json raw text'
    assert_eq "$(offered status -o '')" 'json text'
    assert_eq "$(offered audit -o '')" 'json text'
    assert_eq "$(offered audit --since y)" 'yesterday'
    assert_eq "$(offered --user root audit --js)" '--json'
    assert_eq "$(offered audit --user roo)" 'root'
    mkdir "$TEST_DIR/journals"
    assert_eq "$(offered audit --directory "$TEST_DIR/j")" "$TEST_DIR/journals"
    assert_eq "$(offered follow --from n)" 'next'
    assert_eq "$(offered publish --framing '')" 'length line whole'
    assert_eq "$(offered --framing whole publish --fr)" '--framing'
    assert_eq "$(offered --count '')" ''
    touch "$TEST_DIR/some.conf"
    assert_eq "$(offered --config "$TEST_DIR/so")" "$TEST_DIR/some.conf"
    assert_eq "$(offered --socket "$TEST_DIR/so")" "$TEST_DIR/some.conf"
    # What is to be published.
    assert_eq "$(offered publish "$TEST_DIR/so")" "$TEST_DIR/some.conf"
}

# Does the program take that option with that verb? Asked where there is no segment to be read, and
# no journal.
takes() {
    local verb=$1 option=$2 value='' where=(--key 1)
    case $verb in
    audit) where=(--directory "$TEST_DIR") ;;
    publish) where=(--socket "$TEST_DIR/nobody.sock") ;;
    esac
    case $option in
    --key | --count | --timeout) value=1 ;;
    --config | --socket) value=/dev/null/none ;;
    --instance | --name) value=none ;;
    --output) value=text ;;
    --from) value=oldest ;;
    --framing) value=line ;;
    --since | --until) value=now ;;
    --directory) value=/dev/null/none ;;
    --user) value=0 ;;
    esac
    output=$(timeout "$PATIENCE_S" unshare --ipc "$top_builddir/shm-client" "$verb" "$option" ${value:+"$value"} \
        "${where[@]}" 2>&1 </dev/null | head -n 1) || true # some go on (--watch)
    [[ $output != *"$verb takes no $option"* ]]
}

test_options_are_those_of_the_program() {
    local verb option
    unshare --ipc true 2>/dev/null || skip 'needs an IPC namespace'
    for verb in read follow peek publish status audit; do
        for option in $("$top_builddir/shm-client" --help | grep -oE -- '--[a-z-]+' | sort -u); do
            if takes "$verb" "$option"; then
                assert_contains " $(offered "$verb" "$option") " " $option "
            else
                assert_eq "$(offered "$verb" "$option")" '' "offered to $verb"
            fi
        done
    done
}

test_instances() {
    # Where nobody sees it: a /run of our own.
    [[ ! -e /etc/shmd ]] || skip 'there are instances in /etc/shmd'
    unshare --mount mount -t tmpfs tmpfs /run 2>/dev/null || skip 'needs a mount namespace'
    # shellcheck disable=SC2016
    unshare --mount bash -c '
        mount -t tmpfs tmpfs /run && mkdir /run/shmd && touch /run/shmd/orders.sock /run/shmd/shmd.sock
        . "$1"
        COMP_WORDS=(shm-client --instance "") COMP_CWORD=2
        _shm_client
        echo "${COMPREPLY[*]}"' bash "$top_srcdir/completions/shm-client" >"$TEST_DIR/instances"
    assert_eq "$(cat "$TEST_DIR/instances")" 'orders shmd'
}

run_tests "$@"
