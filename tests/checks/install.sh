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
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$top_builddir" "$@" DESTDIR="$TEST_DIR/root" \
        >"$TEST_DIR/make.log" 2>&1 || fail "$(cat "$TEST_DIR/make.log")"
}

prefix() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$top_builddir" --eval='print:; @echo $(prefix)' print
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

# From systemd 254 on, a crash would close the socket without it; before, systemd complains of it.
test_units_know_how_this_systemd_restarts() {
    local unit mode='#RestartMode=direct'
    pkg-config libsystemd || skip 'pkg-config is not installed'
    ! pkg-config --atleast-version=254 libsystemd || mode=${mode#?}
    run_make install
    for unit in $(installed 'shmd*.service'); do
        assert_eq "$(grep '^#*RestartMode=' "$unit")" "$mode" "in $unit"
    done
}

# Of the pages that are installed: what stands under FILES is there, wherever configure has put it.
test_pages_say_where_files_are() {
    local configuration path count=0
    run_make install
    configuration=$("$top_builddir/shmd" --help | grep -oE '[^ ]+/shmd\.conf' | head -n 1)
    grep -qF ".I $configuration" "$(installed man8/shmd.8)" || fail "shmd(8) does not name $configuration"
    grep -qF ".I $configuration" "$(installed man5/shmd.conf.5)" || fail "nor shmd.conf(5)"
    grep -qF "in ${configuration%.conf}/*.conf" "$(installed completions/shm-client)" ||
        fail 'nor the completion'
    while read -r path; do
        [[ -e $TEST_DIR/root$path ]] || fail "$path is not there"
        count=$((count + 1))
    done < <(sed -n '/^\.SH FILES/,/^\.SH [^F]/p' "$(installed man8/shmd.8)" "$(installed man5/shmd.conf.5)" |
        sed 's/\\-/-/g' | grep -E '^\.IR? /' | grep -oE '/[^ ,"]+' | grep -vE '^/run|NAME')
    ((count >= 10)) || fail "only $count files are named"
}

# The same commit makes the same tarball.
test_dist_is_reproducible() {
    local sums
    command -v xz >/dev/null || skip 'make dist needs xz'
    [[ -w $top_builddir ]] || skip 'the build directory is not writable'
    for _ in 1 2; do
        run_make dist XZ_OPT=-0
        sums+=$(sha256sum "$top_builddir"/shmd-*.tar.xz)$'\n'
        rm "$top_builddir"/shmd-*.tar.xz
        sleep 1 # for its times to be others
    done
    assert_eq "$(sort -u <<<"${sums%?}" | wc -l)" 1 'tarballs'
    # The time is not that of a checkout.
    SOURCE_DATE_EPOCH=86400 run_make dist XZ_OPT=-0
    assert_eq "$(tar --utc -tvf "$top_builddir"/shmd-*.tar.xz | awk '{ print $4 }' | sort -u)" 1970-01-02
    rm "$top_builddir"/shmd-*.tar.xz
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
    # But for those in which it was to be.
    assert_eq "$(find "$TEST_DIR/root" -name '*shmd*' | awk -v prefix="$TEST_DIR/root$(prefix)/" \
        'index(prefix, $0 "/") != 1')" '' 'directories after uninstall'
}

run_tests "$@"
