/* SPDX-License-Identifier: MIT
 *
 * The command line of shmd.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct options {
    const char *config;   /* NULL: the instance's own */
    const char *instance; /* NULL: the main one */
    const char *socket;   /* NULL: in the runtime directory */
    pid_t reload;         /* tell this one; 0: nobody */
    bool check_config;
    bool dump_config;
};

/*
 * 1: run. 0: done already (--help, --version). -EINVAL: not understood; others: what was asked for
 * could not be written. Standard error says so.
 */
int options_parse(int argc, char **argv, struct options *ret);
