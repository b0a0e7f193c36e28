/* SPDX-License-Identifier: MIT */
#include "client/stop.h"

#include <signal.h>
#include <stddef.h>

/* All that a handler of a signal may touch. */
static volatile sig_atomic_t wanted;

static void on_signal(int number)
{
    (void)number;
    wanted = 1;
}

void stop_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    struct sigaction old;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        /* Who started us may have it ignored (nohup). */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

bool stop_wanted(void)
{
    return wanted;
}
