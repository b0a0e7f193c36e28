/* SPDX-License-Identifier: MIT */
#include "bench/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define READY_SECONDS 10

bool journal_is_there(void)
{
    return access("/run/systemd/journal/socket", F_OK) == 0 &&
           access("/run/systemd/journal/stdout", F_OK) == 0;
}

/* Where its standard error goes; what $JOURNAL_STREAM says tells it that this is the journal. */
static int log_open(const char *directory)
{
    char path[300], stream[64];
    struct stat st;
    int fd;

    (void)unsetenv("JOURNAL_STREAM");
    if (journal_is_there()) {
        fd = sd_journal_stream_fd("shmd", 6, false);
        if (fd >= 0 && fstat(fd, &st) == 0) {
            (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                           (unsigned long long)st.st_ino);
            (void)setenv("JOURNAL_STREAM", stream, true);
            return fd;
        }
    }
    (void)snprintf(path, sizeof(path), "%s/log", directory);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void conf_write(const char *path, uint32_t key, const char *configuration)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        fail(path, errno);
    }
    fprintf(file, "key = %u;\n%s\n", (unsigned)key, configuration);
    (void)fclose(file);
}

static int notify_open(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = READY_SECONDS};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/notify", directory);
    (void)unlink(address.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0) {
        fail("the socket for READY=1", errno);
    }
    (void)setenv("NOTIFY_SOCKET", address.sun_path, true);
    return fd;
}

static void await_ready(int fd)
{
    char text[4096];

    do {
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

        if (n < 0) {
            fail("waiting for the daemon's READY=1", errno);
        }
        text[n] = '\0';
    } while (!strstr(text, "READY=1"));
}

/* A service manager goes on listening: where nobody does, the daemon would soon wait for it. */
_Noreturn static void listen_on(int fd)
{
    char text[4096];

    for (;;) {
        (void)!recv(fd, text, sizeof(text), 0);
    }
}

void daemon_start(struct daemon *daemon, const char *configuration, bool pinned)
{
    const char *program = getenv("SHMD") ? getenv("SHMD") : "./shmd";
    const char *directory = scratch();
    int notify = notify_open(directory);
    int log = log_open(directory);
    uint64_t before;
    char conf[300];

    daemon->key = 0x42000000u + (uint32_t)getpid();
    (void)snprintf(conf, sizeof(conf), "%s/shmd.conf", directory);
    (void)snprintf(daemon->socket, sizeof(daemon->socket), "%s/socket", directory);
    (void)setenv("RUNTIME_DIRECTORY", directory, true);
    conf_write(conf, daemon->key, configuration);
    before = nsec_now();
    daemon->pid = fork();
    if (daemon->pid < 0) {
        fail("fork", errno);
    }
    if (daemon->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (pinned) {
            processor_pin(0);
        }
        (void)dup2(log, STDERR_FILENO);
        (void)execl(program, "shmd", "--config", conf, "--socket", daemon->socket, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    await_ready(notify);
    daemon->start_nsec = nsec_now() - before;
    daemon->listener = child_fork();
    if (daemon->listener == 0) {
        listen_on(notify);
    }
    (void)close(notify);
    (void)close(log);
}

void daemon_stop(struct daemon *daemon)
{
    int status;

    (void)signal(SIGCHLD, SIG_DFL);
    (void)kill(daemon->pid, SIGTERM);
    if (waitpid(daemon->pid, &status, 0) != daemon->pid || status != 0) {
        fail("the daemon did not end well", EIO);
    }
    children_end();
}

/* Calls `add` with the file NAME of each thread. */
static uint64_t sum_of_threads(const struct daemon *daemon, const char *name, bool first_too,
                               uint64_t (*read_from)(FILE *file))
{
    char path[300];
    struct dirent *entry;
    uint64_t sum = 0;
    DIR *tasks;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)daemon->pid);
    tasks = opendir(path);
    while (tasks && (entry = readdir(tasks))) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        FILE *file;

        if (thread == 0 || (!first_too && thread == daemon->pid)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)daemon->pid, (int)thread,
                       name);
        file = fopen(path, "r");
        if (file) {
            sum += read_from(file);
            (void)fclose(file);
        }
    }
    if (tasks) {
        (void)closedir(tasks);
    }
    return sum;
}

static uint64_t field(FILE *file, const char *name)
{
    unsigned long long value = 0;
    char line[256];

    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoull(line + strlen(name), NULL, 10);
        }
    }
    return value;
}

static uint64_t read_sleeps(FILE *file)
{
    return field(file, "voluntary_ctxt_switches:");
}

static uint64_t read_running(FILE *file)
{
    return field(file, "");
}

uint64_t daemon_sleeps(const struct daemon *daemon)
{
    return sum_of_threads(daemon, "status", true, read_sleeps);
}

uint64_t daemon_log_nsec(const struct daemon *daemon)
{
    return sum_of_threads(daemon, "schedstat", false, read_running);
}

uint64_t daemon_resident_kib(const struct daemon *daemon)
{
    char path[64];
    uint64_t kib;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon->pid);
    file = fopen(path, "r");
    if (!file) {
        fail(path, errno);
    }
    kib = field(file, "RssAnon:");
    rewind(file);
    kib += field(file, "RssFile:");
    (void)fclose(file);
    return kib;
}
