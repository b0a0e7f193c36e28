/* SPDX-License-Identifier: MIT
 *
 * Whatever state a process is started in, it begins from a known one. Each case spoils one kind of
 * what exec(3) passes on, in a child, and looks at what has become of it.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "group.h"

/* Does it hold in a child? Nothing there may use standard error. */
static bool in_child(bool (*holds)(void))
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        _exit(holds() ? 0 : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- descriptors --- */

static bool is_null(int fd)
{
    struct stat st, null;

    return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev;
}

static bool closed_ones_are_nobodys(void)
{
    char byte = 'x';

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        (void)close(fd);
    }
    process_begin();
    return is_null(STDIN_FILENO) && is_null(STDOUT_FILENO) && is_null(STDERR_FILENO) &&
           open("/dev/null", O_RDONLY) > STDERR_FILENO && read(STDIN_FILENO, &byte, 1) < 0 &&
           write(STDOUT_FILENO, &byte, 1) < 0 && write(STDERR_FILENO, &byte, 1) == 1;
}

static bool open_ones_stay(void)
{
    struct stat before, after;
    int ends[2];

    if (pipe(ends) < 0 || dup2(ends[1], STDOUT_FILENO) < 0 || fstat(STDOUT_FILENO, &before) < 0) {
        return false;
    }
    (void)close(STDIN_FILENO);
    process_begin();
    return fstat(STDOUT_FILENO, &after) == 0 && before.st_ino == after.st_ino &&
           is_null(STDIN_FILENO);
}

static bool others_are_closed(void)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD, 10);
    int other = fcntl(STDERR_FILENO, F_DUPFD, 500);

    process_close_from(kept + 1);
    return kept >= 10 && other >= 500 && fcntl(kept, F_GETFD) == 0 && fcntl(other, F_GETFD) < 0;
}

static void descriptors(void **state)
{
    (void)state;
    assert_true(in_child(closed_ones_are_nobodys));
    assert_true(in_child(open_ones_stay));
    assert_true(in_child(others_are_closed));
}

/* --- signals --- */

static bool ignored_ones_are_not(void)
{
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_IGN);
    }
    process_begin();
    for (int number = 1; number < NSIG; number++) {
        bool of_write = number == SIGPIPE || number == SIGXFSZ;
        struct sigaction action;

        if (sigaction(number, NULL, &action) == 0 && (action.sa_handler == SIG_IGN) != of_write) {
            return false;
        }
    }
    return true;
}

static bool none_is_blocked(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    process_begin();
    (void)sigprocmask(SIG_SETMASK, NULL, &all);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&all, number) > 0) {
            return false;
        }
    }
    return true;
}

static void signals(void **state)
{
    (void)state;
    assert_true(in_child(ignored_ones_are_not));
    assert_true(in_child(none_is_blocked));
}

/* --- timers --- */

static bool timers_do_not_run(void)
{
    static const __itimer_which_t timers[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    struct itimerval soon = {.it_value.tv_sec = 1000, .it_interval.tv_sec = 1000};

    for (size_t i = 0; i < 3; i++) {
        (void)setitimer(timers[i], &soon, NULL);
    }
    process_begin();
    for (size_t i = 0; i < 3; i++) {
        if (getitimer(timers[i], &soon) < 0 || soon.it_value.tv_sec != 0 ||
            soon.it_value.tv_usec != 0) {
            return false;
        }
    }
    return true;
}

/* One that has run out before, while its signal was blocked, ends nobody. */
static bool what_is_pending_of_them_is_nothing(void)
{
    sigset_t all, pending;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)kill(getpid(), SIGALRM);
    (void)kill(getpid(), SIGPROF);
    if (sigpending(&pending) < 0 || !sigismember(&pending, SIGALRM)) {
        return false;
    }
    process_begin();
    return true;
}

static void timers(void **state)
{
    (void)state;
    assert_true(in_child(timers_do_not_run));
    assert_true(in_child(what_is_pending_of_them_is_nothing));
}

/* --- umask and limits --- */

static bool umask_is_known(void)
{
    (void)umask(0777);
    process_begin();
    return umask(0) == 077;
}

static bool limits_are_as_high_as_they_may_be(void)
{
    static const __rlimit_resource_t low[] = {RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU};
    struct rlimit limit;

    for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
        if (getrlimit(low[i], &limit) < 0) {
            return false;
        }
        limit.rlim_cur = 30;
        (void)setrlimit(low[i], &limit);
    }
    process_begin();
    for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
        if (getrlimit(low[i], &limit) < 0 || limit.rlim_cur != limit.rlim_max) {
            return false;
        }
    }
    return true;
}

/* Where even the hard limit is too low, that is an error, and not the end. */
static bool a_file_that_grows_too_long_is_an_error(void)
{
    struct rlimit none = {0};
    int fd = memfd_create("file", MFD_CLOEXEC);

    (void)setrlimit(RLIMIT_FSIZE, &none);
    (void)signal(SIGXFSZ, SIG_DFL);
    process_begin();
    return ftruncate(fd, 4096) < 0 && errno == EFBIG;
}

static void umask_and_limits(void **state)
{
    (void)state;
    assert_true(in_child(umask_is_known));
    assert_true(in_child(limits_are_as_high_as_they_may_be));
    assert_true(in_child(a_file_that_grows_too_long_is_an_error));
}

TEST_GROUP("test-process")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors),
        cmocka_unit_test(signals),
        cmocka_unit_test(timers),
        cmocka_unit_test(umask_and_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
