#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each source file says its licence in one of its first lines.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

# What make leaves in a source tree that is built in is no source; nor are empty and binary files.
source_files() {
    find src tests scripts systemd man conf bootstrap configure.ac Makefile.am .ci/run -type f \
        ! -name '*.log' ! -name '*.trs' ! -name .dirstamp ! -path '*/.deps/*' ! -path '*/.libs/*' \
        -exec grep -Il . {} +
}

test_every_source_file_says_its_licence() {
    local files missing
    cd "$top_srcdir"
    mapfile -t files < <(source_files)
    ((${#files[@]} > 100)) || fail "only ${#files[@]} source files"
    missing=$(awk '
        FNR == 1 { says[FILENAME] = 0 }
        FNR <= 5 && /SPDX-License-Identifier: MIT/ { says[FILENAME] = 1 }
        END { for (file in says) if (!says[file]) print file }' "${files[@]}")
    assert_eq "$missing" '' 'files without the line'
}

run_tests "$@"
