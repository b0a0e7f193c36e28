/* SPDX-License-Identifier: MIT
 *
 * shmd: begin → parse → load → new → run → free.
 */
#include "base/account.h"
#include "base/patient.h"
#include "base/process.h"
#include "base/shortage.h"
#include "conf/conf.h"
#include "daemon/hangup.h"
#include "daemon/manager.h"
#include "daemon/options.h"
#include "daemon/report.h"
#include "daemon/starts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#define EXIT_USAGE       2
#define SHORTAGE_SECONDS 2 /* between two starts for which the system is too short of something */

/* Shall this process serve, or only look at the configuration? */
static bool is_daemon(const struct options *options)
{
    return !options->check_config && !options->dump_config && !options->reload;
}

/*
 * What the file says, judged. Returns the exit status, for a refusal or a shortage that has been
 * logged: whoever is refused is not started again, but a shortage passes.
 */
static int load(const struct options *options, struct conf **ret)
{
    const char *instance = options->instance ? options->instance : CONF_MAIN_INSTANCE;
    CLEANUP(free_cleanup) char *path = NULL;
    CLEANUP(free_cleanup) char *message = NULL;
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    int r = conf_path(options->instance, &path);

    if (r == -EINVAL && asprintf(&message,
                                 "'%.128s' cannot be an instance: expected a name of up to %zu "
                                 "letters, digits and :-_. that does not begin with a dot; shmd is "
                                 "the main one, without --instance",
                                 options->instance, CONF_INSTANCE_MAX) < 0) {
        message = NULL;
    }
    if (r == 0) {
        r = conf_load(options->config ? options->config : path, &conf, &message);
    }
    if (r == 0 && options->reload) {
        r = conf_refuse_empty(conf, &message);
    }
    if (r == 0) {
        r = manager_check(conf, &message);
    }
    if (r < 0) {
        const char *why = message ? message : error_text(r);

        report_early(instance, is_shortage(r) ? EVENT_START_FAILED : EVENT_CONFIGURATION_REFUSED,
                     why);
        if (is_daemon(options)) {
            starts_failed(instance, why);
        }
        return is_shortage(r) ? EX_OSERR : EX_CONFIG;
    }
    *ret = take(conf);
    return EXIT_SUCCESS;
}

/*
 * How many systemd has passed. Where an environment that somebody else has left names some that are
 * not there, there are none: their numbers will be those of what we open.
 */
static int passed_descriptors(void)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(false, &names);

    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    if (count > 0) {
        free(names);
    }
    if (count < 0) {
        (void)fprintf(
            stderr,
            "shmd: LISTEN_FDS and LISTEN_FDNAMES are not of this process, and ignored: %s\n",
            strerror(-count));
        (void)unsetenv("LISTEN_PID");
        (void)unsetenv("LISTEN_FDS");
        (void)unsetenv("LISTEN_FDNAMES");
        return 0;
    }
    return count;
}

/* systemd tries again at once, which is right after a crash, and too often for a shortage. */
static int rest(int status)
{
    if (status == EX_OSERR && getenv("NOTIFY_SOCKET")) {
        (void)sleep(SHORTAGE_SECONDS);
    }
    return status;
}

/* Its configuration can be used: it shall. Returns the exit status. */
static int reload(pid_t pid, const char *instance)
{
    char refusal[HANGUP_REFUSAL_MAX];
    int r = hangup_send(pid, instance, refusal);

    if (r == -ECANCELED) {
        (void)fprintf(stderr, "shmd: reload refused: %s\n", refusal);
        return EXIT_FAILURE;
    }
    if (r == -ESRCH) {
        (void)fprintf(stderr, "shmd: process %d is no shmd: --reload expects the one to tell\n",
                      (int)pid);
        return EXIT_USAGE;
    }
    if (r < 0) {
        (void)fprintf(stderr, "shmd: process %d cannot be told to reload: %s\n", (int)pid,
                      error_text(r));
        return EX_NOPERM;
    }
    return EXIT_SUCCESS;
}

static int serve(struct conf *conf, const struct options *options)
{
    CLEANUP(free_cleanup)
    char *instance = strdup(options->instance ? options->instance : conf->instance);
    CLEANUP(manager_free_cleanup) struct manager *manager = NULL;
    int status = EX_OSERR;

    if (!instance) {
        report_early(CONF_MAIN_INSTANCE, EVENT_START_FAILED, strerror(ENOMEM));
        (void)conf_free(conf);
        return rest(status);
    }
    (void)account_self(); /* which no error waits for later */
    starts_begin(instance);
    if (manager_new(conf, instance, options->socket, &manager, &status) == 0) {
        status = manager_run(manager);
    } else {
        status = rest(status);
    }
    if (status != EX_OSERR) {
        starts_end(instance);
        hangup_end(instance);
    }
    return status;
}

int main(int argc, char **argv)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    struct options options;
    int status, r;

    process_begin();
    patient_streams();
    process_close_from(SD_LISTEN_FDS_START + passed_descriptors());
    r = options_parse(argc, argv, &options);
    if (r <= 0) {
        return r == -EINVAL ? EXIT_USAGE : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    status = load(&options, &conf);
    if (status != EXIT_SUCCESS) {
        return is_daemon(&options) ? rest(status) : status;
    }
    if (options.dump_config) {
        conf_dump(conf, stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (options.reload) {
        return reload(options.reload, options.instance ? options.instance : conf->instance);
    }
    return options.check_config ? EXIT_SUCCESS : serve(take(conf), &options);
}
