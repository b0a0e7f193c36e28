#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A daemon that is started by hand, without a directory from systemd: where its state and its socket
# lie, for each kind of user, and what it does not trust. In a /run and a /tmp of the case's own.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

isolation+=(--mount)
if [[ -z $cannot_isolate ]] && ! "${isolation[@]}" mount -t tmpfs tmpfs /run 2>/dev/null; then
    cannot_isolate='no private mount namespace: unshare --mount is not permitted'
fi

# The case's directory may lie in /tmp: it is moved out of the way.
prepare_places() {
    mount -t tmpfs -o mode=0755 tmpfs /run
    mkdir /run/case
    mount --bind "$TEST_DIR" /run/case
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    conf=/run/case/shmd.conf
    shmd=/run/case/bin/shmd
    shm_client=/run/case/bin/shm-client
    log=/run/case/log
    notify=/run/case/notified
    NOTIFY_SOCKET=/run/case/notify
    unset RUNTIME_DIRECTORY XDG_RUNTIME_DIR
}

# assert_serves DIRECTORY: there, and a client finds it there by itself
assert_serves() {
    start_daemon 'layout = "ring"; size = 65536;'
    assert_eq "$(find "$1" -mindepth 1 -printf '%f\n' | sed 's/\.ipc-[0-9]*//' | sort |
        tr '\n' ' ')" 'key-0000162e.state shmd.sock '
    assert_eq "$("${daemon_prefix[@]}" "$shm_client" read --config "$conf" --socket "$1/shmd.sock" \
        --output text)" "$letters"
    stop_daemon
    assert_eq "$(ls -A "$1")" '' 'files left behind'
}

test_root() {
    prepare_places
    (umask 077 && assert_serves /run/shmd)
    assert_eq "$(stat --format=%a /run/shmd)" 755
    # It is there already.
    assert_serves /run/shmd
}

test_user_with_a_runtime_directory() {
    need_other_users
    prepare_places
    daemon_prefix=("${dave[@]}")
    install -d -m 0700 -o 1004 -g 1004 /run/dave
    export XDG_RUNTIME_DIR=/run/dave
    assert_serves /run/dave/shmd
    assert_eq "$(stat --format=%a:%u /run/dave/shmd)" 700:1004
    assert_serves /run/dave/shmd
}

test_user_without() {
    need_other_users
    prepare_places
    daemon_prefix=("${dave[@]}")
    assert_serves /tmp/shmd-1004
    assert_eq "$(stat --format=%a:%u /tmp/shmd-1004)" 700:1004
}

# The service's own directory is for whoever it belongs to.
test_owner_of_the_shared_directory() {
    need_other_users
    prepare_places
    daemon_prefix=("${dave[@]}")
    install -d -m 0755 -o 1004 -g 1004 /run/shmd
    assert_serves /run/shmd
}

# In /tmp, somebody may have been there first: with a directory, or a link to one of ours.
test_directory_of_a_stranger() {
    need_other_users
    prepare_places
    configure
    install -d -m 0777 -o 1001 -g 1001 /tmp/shmd-1004
    assert_exit 77 timeout "$PATIENCE_S" "${dave[@]}" "$shmd" --config "$conf"
    assert_contains "$output" 'belongs to another user'
    assert_eq "$(ls -A /tmp/shmd-1004)$(count_segments)" 0 'files and segments'

    rmdir /tmp/shmd-1004
    install -d -m 0700 -o 1004 -g 1004 /tmp/elsewhere
    "${bob[@]}" ln -s /tmp/elsewhere /tmp/shmd-1004
    assert_exit 77 timeout "$PATIENCE_S" "${dave[@]}" "$shmd" --config "$conf"
    assert_eq "$(ls -A /tmp/elsewhere)$(count_segments)" 0 'files and segments'
}

# Nowhere to be.
test_no_such_place() {
    need_other_users
    prepare_places
    configure
    XDG_RUNTIME_DIR=/run/nowhere assert_exit 69 timeout "$PATIENCE_S" "${dave[@]}" "$shmd" --config "$conf"
    assert_contains "$output" 'no state in /run/nowhere/shmd/key-' ': its directory is not there: make it'
    assert_eq "$(count_segments)" 0
}

run_tests "$@"
