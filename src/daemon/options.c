/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"
#include "base/nearest.h"
#include "base/parse.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: shmd [OPTION]...\n"
    "Own a shared-memory segment, fill it, and log who acknowledges its records.\n"
    "\n"
    "  -c, --config=FILE    read FILE instead of " SYSCONFDIR "/shmd.conf\n"
    "  -i, --instance=NAME  be the instance NAME: read " SYSCONFDIR "/shmd/NAME.conf\n"
    "  -s, --socket=PATH    listen on PATH instead of /run/shmd/NAME.sock\n"
    "      --check-config   check the configuration, and exit\n"
    "      --reload=PID     the same, and have the shmd with this process id reload it\n"
    "      --dump-config    print the configuration with all defaults, and exit\n"
    "  -h, --help           print this, and exit\n"
    "  -V, --version        print the version, and exit\n"
    "\n"
    "It runs in the foreground. SIGHUP reloads the configuration; SIGTERM stops it and removes\n"
    "the segment; SIGUSR1 stops it and leaves the segment to the next one.\n"
    "See shmd(8) and shmd.conf(5).\n";

enum {
    OPTION_CHECK = 256,
    OPTION_DUMP,
    OPTION_RELOAD,
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"instance", required_argument, NULL, 'i'},
    {"socket", required_argument, NULL, 's'},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"dump-config", no_argument, NULL, OPTION_DUMP},
    {"reload", required_argument, NULL, OPTION_RELOAD},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static int take_pid(const char *text, pid_t *ret)
{
    uint64_t pid;
    int r = parse_u64_range(text, 1, INT_MAX, &pid);

    if (r == 0) {
        *ret = (pid_t)pid;
    }
    return r;
}

static int complain(const char *argument)
{
    const char *meant = optopt == 0 ? nearest_option(long_options, argument) : NULL;

    (void)fprintf(stderr,
                  "shmd: option '%s' is unknown, or its argument is not as it should be%s%s%s\n"
                  "Try 'shmd --help'.\n",
                  argument, meant ? ": did you mean --" : "", meant ? meant : "", meant ? "?" : "");
    return -EINVAL;
}

/* 0: what was asked for stands on standard output. */
static int told(void)
{
    int r = fflush(stdout) == 0 && !ferror(stdout) ? 0 : errno ? -errno : -EIO;

    if (r < 0) {
        (void)fprintf(stderr, "shmd: cannot write to standard output: %s\n", strerror(-r));
    }
    return r;
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct options options = {0};
    int option;

    opterr = 0; /* our own message: it names us, and not the path that we were started by */
    while ((option = getopt_long(argc, argv, "c:i:s:hV", long_options, NULL)) >= 0) {
        switch (option) {
        case 'c':
            options.config = optarg;
            break;
        case 'i':
            options.instance = optarg;
            break;
        case 's':
            options.socket = optarg;
            break;
        case OPTION_CHECK:
            options.check_config = true;
            break;
        case OPTION_DUMP:
            options.dump_config = true;
            break;
        case OPTION_RELOAD:
            if (take_pid(optarg, &options.reload) < 0) {
                return complain(argv[optind - 1]);
            }
            break;
        case 'h':
            (void)fputs(help, stdout);
            return told();
        case 'V':
            (void)puts(PACKAGE_STRING);
            return told();
        default:
            return complain(argv[optind - 1]);
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "shmd: unexpected argument '%s'\nTry 'shmd --help'.\n", argv[optind]);
        return -EINVAL;
    }
    *ret = options;
    return 1;
}
