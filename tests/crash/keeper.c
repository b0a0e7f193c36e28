/* SPDX-License-Identifier: MIT
 *
 * A keeper of the daemon: a small stand-in for systemd and journald, made for killing it often.
 *
 *      keeper [OPTION…] DIRECTORY DAEMON [ARGUMENT…]
 *
 *      --kills=N        how often to kill it
 *      --steps=FILE     the marked steps to kill it at, in turn with random moments
 *      --pause=USEC     the longest life that ends at a random moment
 *      --patience=USEC  how long to wait for a step to be reached
 *      --seed=N         repeats the choices of an earlier run
 *      --no-store       no socket and no store for the daemon: it binds its own
 *      --stops          every life is ended by SIGTERM soon after the daemon is ready, unless it
 *                       is killed before; every other one is not
 *
 * It holds the listening socket DIRECTORY/run/shmd.sock and what the daemon stores (store.h),
 * and is the journal at JOURNAL_PATH (journal.h), which has to be its own: run it in a mount
 * namespace. It starts the daemon, and starts it again at once whenever it was killed; each
 * other end is a failure.
 *
 * On standard output it says "ready" once, and begins to kill at SIGUSR1; it says "done" when,
 * after all that, a daemon is ready, which it stops at SIGTERM, and ends. At SIGHUP it reloads
 * the daemon. DIRECTORY gets the files acknowledgements, entries, errors, and lives: STEP
 * ARRIVAL END READY.
 */
#include "keeper.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_PATH "/run/systemd/journal/socket"
#define BACKLOG      128
#define LOOK_MSEC    1000

struct keeper keeper = {.listener = -1};

uint64_t now_usec(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

char *in_directory(const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", keeper.directory, name) < 0) {
        abort();
    }
    return path;
}

void fail(const char *format, ...)
{
    va_list arguments;

    if (keeper.pid > 0) {
        (void)kill(keeper.pid, SIGKILL);
    }
    va_start(arguments, format);
    (void)printf("FAILED after %llu kills: ", keeper.killed);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
    exit(EXIT_FAILURE);
}

/* --- events --- */

/* The first one was started without a step. */
static void begin_killing(void)
{
    if (keeper.kills == 0) {
        keeper.stage = STAGE_DONE;
        (void)printf("done\n");
        return;
    }
    keeper.stage = STAGE_KILLING;
    keeper.mortal = true;
    keeper.kill_at = now_usec() + plan_below(&keeper.plan, keeper.plan.pause_max_usec);
}

static void reload(void)
{
    keeper.reload_wanted = false;
    (void)kill(keeper.pid, SIGHUP);
}

static void hear_daemon(void)
{
    if (!store_receive(&keeper.store, keeper.pid) || keeper.ready) {
        return;
    }
    life_is_ready();
    if (keeper.reload_wanted) {
        reload();
    }
}

static void on_signal(void)
{
    struct signalfd_siginfo info;
    int status;

    while (read(keeper.signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            if (keeper.pid > 0 && waitpid(keeper.pid, &status, WNOHANG) == keeper.pid) {
                hear_daemon(); /* what it said last, counts */
                life_end(status);
            }
            break;
        case SIGUSR1:
            begin_killing();
            break;
        case SIGHUP:
            /* Before it is ready, a service is not reloaded. */
            keeper.reload_wanted = true;
            if (keeper.ready && !keeper.stopped) {
                reload();
            }
            break;
        default:
            keeper.stage = STAGE_ENDING;
            life_stop();
        }
    }
}

static void on_time(void)
{
    uint64_t now = now_usec();

    if (keeper.pid <= 0) {
        return;
    }
    if (now >= keeper.kill_at && keeper.kill_at > 0) {
        keeper.kill_at = 0; /* done */
        (void)kill(keeper.pid, SIGKILL);
    } else if (now >= keeper.stop_at) {
        life_stop();
    } else if (now >= keeper.fail_at) {
        fail("the daemon did not %s in time", keeper.stopped ? "stop" : "start");
    }
}

static void wait_for_events(void)
{
    static struct pollfd fds[3 + STORE_MAX];
    uint64_t now = now_usec(), next = now + LOOK_MSEC * UINT64_C(1000);
    uint64_t times[] = {keeper.kill_at ? keeper.kill_at : NEVER, keeper.stop_at, keeper.fail_at};
    struct timespec left;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        next = times[i] < next ? times[i] : next;
    }
    next = next > now ? next - now : 0;
    left = (struct timespec){(time_t)(next / 1000000), (long)(next % 1000000) * 1000};
    fds[0] = (struct pollfd){.fd = keeper.signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = keeper.store.notify_fd, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = keeper.journal.fd, .events = POLLIN};
    for (size_t i = 0; i < keeper.store.count; i++) {
        fds[3 + i] = (struct pollfd){.fd = keeper.store.kept[i].polled
                                               ? keeper.store.kept[i].fd
                                               : -1}; /* hanging up is told unasked */
    }
    (void)ppoll(fds, 3 + keeper.store.count, &left, NULL);
}

static void run(void)
{
    life_begin();
    while (keeper.pid > 0) {
        wait_for_events();
        (void)journal_receive(&keeper.journal);
        hear_daemon();
        store_drop_hung_up(&keeper.store);
        on_time();
        on_signal();
    }
    while (journal_receive(&keeper.journal)) {
    }
    (void)printf(
        "ended: %llu kills, %llu entries, %zu descriptors stored, %llu entries malformed\n",
        keeper.killed, keeper.journal.entries, keeper.store.count, keeper.journal.malformed);
}

/* --- begin --- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0) {
        return -errno;
    }
    return fd;
}

static void set_up(void)
{
    char *notify = in_directory("keeper"), *lives = in_directory("lives");
    char *acknowledgements = in_directory("acknowledgements"), *entries = in_directory("entries");
    char *socket = in_directory("run/shmd.sock"), *run = in_directory("run");
    sigset_t set;
    int r = store_open(&keeper.store, notify);

    if (r == 0) {
        r = journal_open(&keeper.journal, JOURNAL_PATH, acknowledgements, entries);
    }
    if (r == 0 && !keeper.store.off) {
        keeper.listener = r = listen_at(socket);
    }
    keeper.report = fopen(lives, "we");
    if (r < 0 || !keeper.report) {
        fail("cannot begin: %s", strerror(r < 0 ? -r : errno));
    }
    (void)setenv("NOTIFY_SOCKET", notify, 1);
    (void)setenv("RUNTIME_DIRECTORY", run, 1);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    keeper.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    free(notify);
    free(lives);
    free(acknowledgements);
    free(entries);
    free(socket);
    free(run);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"kills", required_argument, NULL, 'k'}, {"steps", required_argument, NULL, 's'},
        {"pause", required_argument, NULL, 'p'}, {"patience", required_argument, NULL, 'w'},
        {"seed", required_argument, NULL, 'r'},  {"no-store", no_argument, NULL, 'n'},
        {"stops", no_argument, NULL, 't'},       {0},
    };
    unsigned long long seed = now_usec();
    int option, r = 0;

    setlinebuf(stdout);
    keeper.plan.pause_max_usec = 100000;
    keeper.plan.patience_usec = 300000;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
        unsigned long long number = optarg ? strtoull(optarg, NULL, 10) : 0;

        switch (option) {
        case 'k':
            keeper.kills = number;
            break;
        case 's':
            r = plan_read_steps(&keeper.plan, optarg);
            break;
        case 'p':
            keeper.plan.pause_max_usec = number;
            break;
        case 'w':
            keeper.plan.patience_usec = number;
            break;
        case 'r':
            seed = number;
            break;
        case 'n':
            keeper.store.off = true;
            break;
        case 't':
            keeper.stops = true;
            break;
        default:
            return 2;
        }
    }
    if (argc - optind < 2 || r < 0) {
        (void)fputs("usage: keeper [OPTION…] DIRECTORY DAEMON [ARGUMENT…]\n", stderr);
        return 2;
    }
    plan_seed(&keeper.plan, seed);
    (void)printf("seed %llu\n", seed);
    keeper.directory = argv[optind];
    keeper.command = argv + optind + 1;
    set_up();
    run();
    return 0;
}
