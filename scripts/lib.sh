# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What quickstart and test share: building from a copy of the source, so that the source tree stays
# as it is, and so that a clone is built with nothing but what belongs to it.

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What is built and installed is for others, too, whoever builds it.
umask 022

# make_scratch: a directory $scratch that other users may enter
make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/shmd.XXXXXX")
    chmod 0755 "$scratch"
}

# copy_source DIRECTORY: what belongs to the source, which is what git tracks and what is new, but not
# what it ignores; all of it where there is no git. What is there already, and as new, stays.
copy_source() {
    mkdir -p "$1"
    if git -C "$source_dir" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        comm -z -23 \
            <(git -C "$source_dir" ls-files -z --cached --others --exclude-standard | sort -z) \
            <(git -C "$source_dir" ls-files -z --deleted | sort -z) |
            tar -C "$source_dir" --null --files-from=- -cf - | tar -C "$1" -xf -
    else
        cp -R --preserve=timestamps "$source_dir/." "$1"
        # What was built there is nothing to build upon.
        [[ ! -e $1/Makefile ]] || make -C "$1" distclean
    fi
    chmod -R a+rX "$1"
}

# prepare_source DIRECTORY: a copy that can be configured
prepare_source() {
    copy_source "$1" && { [[ -x $1/configure ]] || "$1/bootstrap"; }
}

# configure_and_make SOURCE BUILD-DIRECTORY CONFIGURE-ARGUMENT…: with the directories of an installed
# system
configure_and_make() (
    mkdir -p "$2" && cd "$2" && { [[ -e Makefile ]] ||
        "$1/configure" --prefix=/usr --sysconfdir=/etc --libdir=/usr/lib "${@:3}"; } &&
        make -j"$(nproc)"
)
