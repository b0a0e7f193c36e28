#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Who may include whom: the folders of src/ are layers, and an include that points upwards is a bug.
set -euo pipefail
top_srcdir=${top_srcdir:-$(dirname "$0")/../..}
. "$top_srcdir/tests/tap.sh"

# Layer by layer, what it may include besides itself. The client is built on the public header of
# the library and nothing else of it.
declare -A allowed=(
    [base]=''
    [proto]='base'
    [conf]='base'
    [segment]='proto base'
    [source]='base'
    [daemon]='base proto conf segment source'
    [lib]='proto base'
    [client]='lib/shmd.h conf base'
)

# Prints each include of SOURCE-DIRECTORY that is not allowed.
violations() {
    local file target layer may
    while IFS=: read -r file target; do
        layer=${file%%/*}
        if [[ ! -v allowed[$layer] ]]; then
            echo "$file: no layer of the name «$layer»"
            continue
        fi
        if [[ ! -f $1/$target ]]; then
            # What configure makes is no layer.
            [[ $target == config.h ]] || echo "$file: «$target» is not named from src/"
            continue
        fi
        may=" $layer ${allowed[$layer]} "
        [[ $may == *" ${target%%/*} "* || $may == *" $target "* ]] || echo "$file includes $target"
    done < <(cd "$1" && grep -roE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' -- * |
        sed -E 's/:[^"]*"(.*)"$/:\1/')
}

test_the_sources_keep_to_the_layers() {
    local found
    found=$(violations "$top_srcdir/src")
    assert_eq "$found" '' 'violations'
}

# The check itself: a violation planted in each layer is found.
test_planted_violations_are_found() {
    local layer
    cp -r "$top_srcdir/src" "$TEST_DIR/src"
    chmod -R u+w "$TEST_DIR/src"
    for layer in "${!allowed[@]}"; do
        mkdir -p "$TEST_DIR/src/$layer"
        touch "$TEST_DIR/src/$layer/planted.h"
    done
    plant base proto/planted.h
    plant proto segment/planted.h
    plant conf proto/planted.h
    plant segment source/planted.h
    plant source segment/planted.h
    plant daemon lib/planted.h
    plant daemon client/planted.h
    plant lib conf/planted.h
    plant client lib/planted.h
    plant client proto/planted.h
    plant base no/such.h
    plant base planted/../../proto/planted.h
}

plant() {
    echo "  # include  \"$2\"  // planted" >"$TEST_DIR/src/$1/planted.c"
    assert_contains "$(violations "$TEST_DIR/src")" "$1/planted.c" "$2"
    rm "$TEST_DIR/src/$1/planted.c"
}

run_tests "$@"
