/* SPDX-License-Identifier: MIT
 *
 * shmd: parse → load → new → run → free.
 */
#include "conf/conf.h"
#include "daemon/manager.h"
#include "daemon/options.h"
#include "daemon/report.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#define EXIT_USAGE       2
#define SHORTAGE_SECONDS 2 /* between two starts for which the system is too short of something */

/* What the file says, judged; a refusal has been logged. */
static int load(const struct options *options, struct conf **ret)
{
    CLEANUP(free_cleanup) char *path = NULL;
    CLEANUP(free_cleanup) char *message = NULL;
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    int r = options->config ? 0 : conf_path(options->instance, &path);

    if (r == 0) {
        r = conf_load(options->config ? options->config : path, &conf, &message);
    }
    if (r == 0) {
        r = manager_check(conf, &message);
    }
    if (r < 0) {
        report_early(options->instance ? options->instance : "shmd", EVENT_CONFIGURATION_REFUSED,
                     message ? message : strerror(-r));
        return r;
    }
    *ret = take(conf);
    return 0;
}

static int serve(struct conf *conf, const struct options *options)
{
    CLEANUP(free_cleanup)
    char *instance = strdup(options->instance ? options->instance : conf->instance);
    CLEANUP(manager_free_cleanup) struct manager *manager = NULL;
    int status;

    if (manager_new(conf, instance, options->socket, &manager, &status) == 0) {
        return manager_run(manager);
    }
    if (status == EX_OSERR && getenv("NOTIFY_SOCKET")) {
        /* systemd tries again at once, which is right after a crash, and too often for this. */
        (void)sleep(SHORTAGE_SECONDS);
    }
    return status;
}

int main(int argc, char **argv)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    struct options options;
    int r = options_parse(argc, argv, &options);

    if (r <= 0) {
        return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
    }
    r = load(&options, &conf);
    if (r < 0) {
        return EX_CONFIG;
    }
    if (options.dump_config) {
        conf_dump(conf, stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return options.check_config ? EXIT_SUCCESS : serve(take(conf), &options);
}
