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
    local file missing=''
    cd "$top_srcdir"
    while IFS= read -r file; do
        head -n 5 "$file" | grep -q 'SPDX-License-Identifier: MIT' || missing+="$file "
    done < <(source_files)
    assert_eq "$missing" '' 'files without the line'
}

run_tests "$@"
