/* SPDX-License-Identifier: MIT
 *
 * PROGRAM [GROUP[/CASE]…]: runs the groups of tests that are linked with it, or these; CASE may
 * have * and ? in it. --list says which groups there are.
 *
 * Each group runs in a process of its own: what one does to its process, or dies of, is nothing to
 * the others. At its end a sanitizer looks for memory that was not freed, and we for descriptors
 * that were not closed. Lines with ## say where a group begins and ends, for run.sh.
 */
#include "base/clock.h"
#include "private.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CASES_FAILED    99   /* the status of a group that has said so; sanitizers have others */
#define DESCRIPTORS_MAX 1024 /* what is looked at */

static struct test_group *groups;

void test_group_add(struct test_group *group)
{
    struct test_group **end = &groups;

    while (*end) {
        end = &(*end)->next;
    }
    *end = group;
}

/* Are there no more than a group begins with? Says what one of the others is. */
static bool descriptors_are_closed(void)
{
    char link[32], target[PATH_MAX];
    int left = 0;

    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) {
        ssize_t length;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof(target) - 1);
        if (length >= 0) {
            target[length] = '\0';
            left++;
        }
    }
    if (left > 0) {
        (void)printf("not ok - descriptors that were not closed: %d, such as %s\n", left, target);
    }
    return left == 0;
}

static pid_t group_start(const struct test_group *group, const char *filter)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_NAME, group->name);
        (void)alarm(PRIVATE_SECONDS);
        if (filter) {
            cmocka_set_test_filter(filter);
        }
        (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* what whoever started us left open */
        exit(group->run() == 0 && descriptors_are_closed() ? EXIT_SUCCESS : CASES_FAILED);
    }
    return pid;
}

/* Have all cases passed? How it ended is a failed case, unless one has been reported. */
static bool group_passes(const struct test_group *group, const char *filter)
{
    uint64_t started = clock_usec();
    int status = 0;
    pid_t pid;

    (void)printf("## %s\n", group->name);
    pid = group_start(group, filter);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        (void)printf("not ok - no process for it\n");
        status = -1;
    } else if (WIFSIGNALED(status)) {
        (void)printf("not ok - ended by signal %d (%s)\n", WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != EXIT_SUCCESS && WEXITSTATUS(status) != CASES_FAILED) {
        (void)printf("not ok - ended with status %d\n", WEXITSTATUS(status));
    }
    (void)printf("## %s: %.1f s\n", group->name,
                 (double)(clock_usec() - started) / (double)USEC_PER_SEC);
    return status == 0;
}

/* The one that an argument names; behind a slash it may say which case. */
static const struct test_group *group_find(const char *argument)
{
    size_t length = strcspn(argument, "/");

    for (const struct test_group *group = groups; group; group = group->next) {
        if (strlen(group->name) == length && strncmp(group->name, argument, length) == 0) {
            return group;
        }
    }
    (void)fprintf(stderr, "no group of tests is «%.*s»: --list says which there are\n", (int)length,
                  argument);
    return NULL;
}

int main(int argc, char **argv)
{
    bool passed = true;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const struct test_group *group = groups; group; group = group->next) {
            (void)puts(group->name);
        }
        return EXIT_SUCCESS;
    }
    for (const struct test_group *group = groups; argc == 1 && group; group = group->next) {
        passed = group_passes(group, NULL) && passed;
    }
    for (int i = 1; i < argc; i++) {
        const struct test_group *group = group_find(argv[i]);
        const char *slash = strchr(argv[i], '/');

        passed = group && group_passes(group, slash ? slash + 1 : NULL) && passed;
    }
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
