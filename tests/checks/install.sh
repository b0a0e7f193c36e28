#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# make install puts everything in its place and never overwrites a configuration that was edited;
# make uninstall takes everything away but that.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
top_builddir=${top_builddir:-$top_srcdir}
. "$top_srcdir/tests/tap.sh"

# A make of its own, whatever started this.
run_make() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$top_builddir" "$1" DESTDIR="$TEST_DIR/root" \
        >"$TEST_DIR/make.log" 2>&1 || fail "$(cat "$TEST_DIR/make.log")"
}

installed() {
    find "$TEST_DIR/root" ! -type d -path "*/$1"
}

test_install_is_complete() {
    local file
    run_make install
    for file in sbin/shmd bin/shm-client etc/shmd.conf system/shmd.service system/shmd@.service \
        system/shmd.socket system/shmd@.socket system/shmd-failed@.target completions/shm-client lib/libshmd.so include/shmd.h \
        share/shmd/shmd-commands.conf doc/shmd/examples/clock.conf pkgconfig/shmd.pc man3/libshmd.3 \
        sysusers.d/shmd.conf catalog/shmd.catalog man8/shmd.8 man5/shmd.conf.5 man1/shm-client.1 \
        man7/shmd-protocol.7; do
        [[ -s $(installed "$file") ]] || fail "$file is not installed"
    done
    # What configure should have filled in.
    assert_eq "$(find "$TEST_DIR/root" -name '*.service' -exec grep -hE '@[a-z]+dir@' {} +)" ''
}

# A minimal system lacks most programs, and some of these directories: the service would not start.
test_units_need_nothing_that_may_be_missing() {
    local unit
    run_make install
    for unit in $(installed 'shmd*.service'); do
        assert_eq "$(grep -E '^Exec[[:alpha:]]*=' "$unit" |
            grep -vE '^ExecPaths=|^[[:alpha:]]*=/[^ ]*/sbin/shmd ')" '' "commands of $unit"
        assert_eq "$(grep -E '^[[:alpha:]]*Paths=' "$unit" | cut -d = -f 2- | tr ' ' '\n' |
            grep -vE '^(-|/$|/[^ ]*/sbin/shmd$)')" '' "paths of $unit"
    done
}

test_edited_configuration_is_kept() {
    local file
    run_make install
    file=$(installed etc/shmd.conf)
    cmp "$file" "$top_srcdir/conf/shmd.conf"
    echo '# edited' >>"$file"
    run_make install
    assert_eq "$(tail -n 1 "$file")" '# edited' 'last line after another install'
    run_make uninstall
    assert_eq "$(find "$TEST_DIR/root" ! -type d)" "$file" 'files after uninstall'
}

test_uninstall_is_complete() {
    run_make install
    run_make uninstall
    assert_eq "$(find "$TEST_DIR/root" ! -type d)" '' 'files after uninstall'
}

run_tests "$@"
