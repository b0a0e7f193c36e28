/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

void process_open_standard(void)
{
    /* Each the wrong way round, so that using it is an error; whom should that be told, though? */
    static const int flags[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd] | O_NOCTTY) != fd) {
            _exit(EX_OSERR);
        }
    }
}

/* What is pending of a timer that we stop would end us as soon as nothing blocks it. */
static void stop_timers(void)
{
    static const struct {
        int timer;
        int signal;
    } timers[] = {{ITIMER_REAL, SIGALRM}, {ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}};
    static const struct itimerval never;

    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
        (void)setitimer((__itimer_which_t)timers[i].timer, &never, NULL);
        (void)signal(timers[i].signal, SIG_IGN);
    }
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL); /* fails for those that cannot be changed */
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* As far as everybody may. */
static void raise_limits(void)
{
    static const int resources[] = {RLIMIT_AS,      RLIMIT_CPU,    RLIMIT_DATA, RLIMIT_FSIZE,
                                    RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_NPROC};

    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)resources[i], &limit) == 0 &&
            limit.rlim_cur != limit.rlim_max) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit((__rlimit_resource_t)resources[i], &limit);
        }
    }
}

void process_begin(void)
{
    process_open_standard();
    stop_timers();
    reset_signals();
    (void)umask(077);
    raise_limits();
}

void process_close_from(int first)
{
    (void)close_range((unsigned)first, ~0U, 0);
}
