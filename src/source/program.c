/* SPDX-License-Identifier: MIT */
#include "source/program.h"
#include "base/shortage.h"
#include "source/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#define SAID_MAX   ((size_t)4096) /* bytes that are read of it at a time, … */
#define SAID_READS 16             /* … and how often, when it has ended: more than a pipe holds */
#define END_MSEC   100            /* how long a killed program may take to end while we wait */

struct program {
    struct program *next; /* of those that were not waited for */
    const struct source *source;
    void (*on_exit)(void *userdata);
    void *userdata;
    pid_t pid;
    int pidfd;
    int error;
    sd_event_source *exit_source;
    sd_event_source *error_source;
    struct lines lines;
    siginfo_t status;
    bool over;
};

/* Children belong to the process: of all that it has, these are not waited for by others. */
static struct program *unreaped;

/* --- the settings --- */

static bool is_assignment(const char *text)
{
    const char *equals = strchr(text, '=');

    return equals && equals > text;
}

const char *program_check(const struct source_settings *settings, const char **ret_setting)
{
    *ret_setting = "source.command";
    if (!settings->command || !settings->command[0]) {
        return "is empty, expected a program's path and its arguments";
    }
    if (settings->command[0][0] != '/') {
        return "does not begin with the path of a program: expected one from / on, there is no "
               "search for it and no shell";
    }
    *ret_setting = "source.environment";
    for (char *const *entry = settings->environment; entry && *entry; entry++) {
        if (!is_assignment(*entry)) {
            return "has an entry that is not \"NAME=value\"";
        }
    }
    *ret_setting = "source.directory";
    if (settings->directory && settings->directory[0] != '/') {
        return "is not a path from / on";
    }
    return NULL;
}

/* --- while it runs --- */

/* True if there may be more. */
static bool hear(struct program *program)
{
    char bytes[SAID_MAX];
    ssize_t n = read(program->error, bytes, sizeof(bytes));

    if (n > 0) {
        lines_feed(&program->lines, program->source, bytes, (size_t)n);
    } else if (n == 0) {
        (void)sd_event_source_set_enabled(program->error_source, SD_EVENT_OFF);
    }
    return n > 0;
}

/* The last words. */
static void hear_out(struct program *program)
{
    for (int i = 0; i < SAID_READS && hear(program); i++) {
    }
    lines_end(&program->lines, program->source);
}

static int on_error(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    (void)s;
    (void)fd;
    (void)events;
    (void)hear(userdata);
    return 0;
}

void program_kill(struct program *program)
{
    if (!program->over) {
        (void)kill(-program->pid, SIGKILL);
    }
}

static bool is_program(pid_t pid)
{
    const struct program *program = unreaped;

    while (program && program->pid != pid) {
        program = program->next;
    }
    return program != NULL;
}

/* The kernel shows one that has ended at a time: where that is a program, it is waited for first.
 */
void program_reap_others(void)
{
    siginfo_t child = {0};

    while (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 && child.si_pid != 0 &&
           !is_program(child.si_pid)) {
        (void)waitid(P_PID, (id_t)child.si_pid, &child, WEXITED | WNOHANG);
        child = (siginfo_t){0};
    }
}

static void forget(const struct program *program)
{
    struct program **at = &unreaped;

    while (*at && *at != program) {
        at = &(*at)->next;
    }
    *at = *at ? program->next : NULL;
}

/* As long as its leader was not waited for, no other group can have its number. */
static bool reap(struct program *program)
{
    siginfo_t status = {0};

    if (program->over ||
        waitid(P_PID, (id_t)program->pid, &status, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        status.si_pid == 0) {
        return program->over;
    }
    program_kill(program);
    (void)waitid(P_PID, (id_t)program->pid, &program->status, WEXITED | WNOHANG);
    program->over = true;
    forget(program);
    program_reap_others();
    return true;
}

static struct program *release(struct program *program)
{
    forget(program);
    program->exit_source = sd_event_source_disable_unref(program->exit_source);
    program->error_source = sd_event_source_disable_unref(program->error_source);
    program->pidfd = fd_close(program->pidfd);
    program->error = fd_close(program->error);
    free(program);
    return NULL;
}

static int on_end(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct program *program = userdata;

    (void)fd;
    (void)events;
    if (!reap(program)) {
        return 0;
    }
    (void)sd_event_source_set_enabled(s, SD_EVENT_OFF);
    if (!program->on_exit) { /* nobody waits for it any more */
        (void)sd_event_source_set_floating(s, false);
        (void)release(program);
        return 0;
    }
    hear_out(program);
    program->on_exit(program->userdata);
    return 0;
}

bool program_is_over(const struct program *program)
{
    return program->over;
}

bool program_is_well(const struct program *program)
{
    return program->over && program->status.si_code == CLD_EXITED && program->status.si_status == 0;
}

void program_describe(const struct program *program, char text[PROGRAM_TEXT_MAX])
{
    int status = program->status.si_status;
    const char *name = sigabbrev_np(status);

    if (program->status.si_code == CLD_EXITED) {
        (void)snprintf(text, PROGRAM_TEXT_MAX, "%s exited with status %d",
                       program->source->context.settings.command[0], status);
    } else {
        (void)snprintf(text, PROGRAM_TEXT_MAX, "%s was ended by signal %d (SIG%s)",
                       program->source->context.settings.command[0], status, name ? name : "?");
    }
}

/* --- its beginning --- */

static int pipe_new(int *ret_read, int *ret_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) { /* at our end only */
        int r = -errno;

        (void)fd_close(ends[0]);
        (void)fd_close(ends[1]);
        return r;
    }
    *ret_read = ends[0];
    *ret_write = ends[1];
    return 0;
}

/* A new session; nothing that we block, ignore or have open. A positive errno. */
static int spawn(const struct source_settings *settings, int directory, int output, int error,
                 pid_t *ret)
{
    static char *const nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    r = posix_spawn_file_actions_init(&actions);
    if (r != 0) {
        return r;
    }
    r = posix_spawnattr_init(&attributes);
    if (r != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
    }
    if ((r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) ==
            0 &&
        (r = posix_spawn_file_actions_addfchdir_np(&actions, directory)) == 0 &&
        (r = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)) == 0 &&
        (r = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (r = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
        (r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF)) == 0) {
        r = posix_spawn(ret, settings->command[0], &actions, &attributes, settings->command,
                        settings->environment ? settings->environment : nothing);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* Why a program cannot be run. The sandbox of the service looks like a lack of permission. */
static const char *cause(const char *path, int error)
{
    struct statvfs system;
    struct stat st;

    if ((error == EACCES || error == EPERM) && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        (st.st_mode & 0111) && statvfs(path, &system) == 0 && (system.f_flag & ST_NOEXEC)) {
        return "nothing may be executed there. The service runs programs only with the drop-in "
               "shmd-commands.conf, see shmd.conf(5)";
    }
    return error_text(-error);
}

static int watch(struct program *program)
{
    sd_event *event = program->source->context.event;
    int r;

    program->pidfd = pidfd_open(program->pid, 0);
    if (program->pidfd < 0) {
        return -errno;
    }
    r = sd_event_add_io(event, &program->exit_source, program->pidfd, EPOLLIN, on_end, program);
    return r < 0 ? r
                 : sd_event_add_io(event, &program->error_source, program->error, EPOLLIN, on_error,
                                   program);
}

int program_start(const struct source *source, void (*on_exit)(void *userdata), void *userdata,
                  struct program **ret, int *ret_output, char text[PROGRAM_TEXT_MAX])
{
    const struct source_settings *settings = &source->context.settings;
    CLEANUP(fd_close_cleanup) int directory = -1;
    CLEANUP(fd_close_cleanup) int output = -1;
    CLEANUP(fd_close_cleanup) int output_end = -1;
    CLEANUP(fd_close_cleanup) int error_end = -1;
    struct program *program = calloc(1, sizeof(*program));
    const char *where = settings->directory ? settings->directory : "/";
    const char *what = settings->command[0];
    const char *why = NULL;
    int r;

    if (!program) {
        (void)snprintf(text, PROGRAM_TEXT_MAX, "%s: %s", what, strerror(ENOMEM));
        return -ENOMEM;
    }
    *program = (struct program){
        .source = source, .on_exit = on_exit, .userdata = userdata, .pidfd = -1, .error = -1};
    r = pipe_new(&output, &output_end);
    if (r == 0) {
        r = pipe_new(&program->error, &error_end);
    }
    if (r == 0) {
        directory = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) {
            r = -errno;
            what = where;
        }
    }
    if (r == 0) {
        r = -spawn(settings, directory, output_end, error_end, &program->pid);
        why = r < 0 ? cause(what, -r) : NULL;
    }
    if (r == 0) {
        program->next = unreaped;
        unreaped = program;
        r = watch(program);
        if (r < 0) {
            (void)program_free(take(program));
        }
    }
    if (r < 0) {
        (void)snprintf(text, PROGRAM_TEXT_MAX, "%s: %s", what, why ? why : error_text(r));
        if (program) {
            (void)release(program);
        }
        return r;
    }
    *ret = program;
    *ret_output = output;
    output = -1;
    return 0;
}

/*
 * One that does not end although it was killed hangs in the kernel, and is waited for in the
 * background.
 */
struct program *program_free(struct program *program)
{
    struct pollfd end;

    if (!program) {
        return NULL;
    }
    program_kill(program);
    end = (struct pollfd){.fd = program->pidfd, .events = POLLIN};
    if (!program->over && poll(&end, 1, END_MSEC) == 0 && program->exit_source) {
        program->on_exit = NULL;
        program->error_source = sd_event_source_disable_unref(program->error_source);
        (void)sd_event_source_set_floating(program->exit_source, true);
        return NULL;
    }
    if (!program->over && reap(program)) {
        hear_out(program);
    }
    return release(program);
}
