#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The public header: it compiles alone, in C99 and in C++, without a warning, and says of every
# function what it does.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

header=$top_srcdir/src/lib/shmd.h

# compile LANGUAGE STANDARD COMPILER…
compile() {
    local language=$1 standard=$2 compiler
    shift 2
    for compiler in "$@"; do
        if command -v "$compiler" >/dev/null; then
            echo '#include "shmd.h"' | "$compiler" -x "$language" -std="$standard" -Wall -Wextra \
                -Wpedantic -Werror -I "$(dirname "$header")" -fsyntax-only -
            return
        fi
    done
    skip "no compiler: $*"
}

test_header_is_c99() {
    compile c c99 "${CC:-cc}" cc gcc clang
}

test_header_is_cxx() {
    compile c++ c++11 "${CXX:-c++}" c++ g++ clang++
}

# A comment that ends right above each declaration.
test_every_function_is_documented() {
    local undocumented
    undocumented=$(awk '
        /\*\/[[:space:]]*$/ { documented = 1; next }
        /^[[:space:]]*$/ { documented = 0 }
        /^[a-z].*shmd_[a-z_]*\(/ && !/^(typedef|static|#|\*)/ {
            found++
            if (!documented) print
        }
        END { if (!found) print "no function found at all" }' "$header")
    assert_eq "$undocumented" '' 'functions without a comment'
}

# types FILE: its structures and enumerations, line by line.
types() {
    sed -nE '/^(struct|enum)( shmd_[a-z_]+)? \{/,/^\};/p' "$1"
}

# Nobody should have to look into the header.
test_every_type_is_in_the_page_in_full() {
    sed 's/\\-/-/g; s/\\e/\\/g' "$top_srcdir/man/libshmd.3" >"$TEST_DIR/page"
    diff <(types "$header") <(types "$TEST_DIR/page") ||
        fail 'the types of the header (<) and of libshmd(3) (>) differ'
    (($(types "$header" | wc -l) > 50)) || fail 'the header has no types'
}

run_tests "$@"
