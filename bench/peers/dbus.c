/* SPDX-License-Identifier: MIT
 *
 * D-Bus through sd-bus, with a bus of its own: a signal for each record, and one to the publisher
 * for each acknowledgement.
 */
#include "bench/peer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>

#define PATH      "/shmd/bench"
#define INTERFACE "shmd.bench"
#define PUBLISHER "shmd.bench.publisher"
#define DEPTH     256

static char address[300];
static sd_bus *bus;
static uint64_t heard_of[SUBSCRIBERS_MAX], least;
static bool got;

static void check(int r, const char *what)
{
    if (r < 0) {
        fail(what, r);
    }
}

static void configure(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        fail(path, errno);
    }
    fprintf(file,
            "<busconfig><type>session</type><listen>%s</listen><policy context='default'>"
            "<allow send_destination='*'/><allow eavesdrop='true'/><allow own='*'/></policy>"
            "<limit name='max_incoming_bytes'>1000000000</limit>"
            "<limit name='max_outgoing_bytes'>1000000000</limit></busconfig>",
            address);
    (void)fclose(file);
}

static void prepare(struct exchange *x)
{
    char path[300], option[320];

    (void)x;
    (void)snprintf(address, sizeof(address), "unix:path=%s/bus", scratch());
    (void)snprintf(path, sizeof(path), "%s/bus.conf", scratch());
    (void)snprintf(option, sizeof(option), "--config-file=%s", path);
    configure(path);
    if (child_fork() == 0) {
        (void)execlp("dbus-daemon", "dbus-daemon", option, "--nofork", (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    while (access(address + strlen("unix:path="), F_OK) < 0) {
        (void)usleep(1000);
    }
}

static void join(const char *match, sd_bus_message_handler_t handler, struct exchange *x)
{
    check(sd_bus_new(&bus), "sd_bus_new");
    check(sd_bus_set_address(bus, address), "sd_bus_set_address");
    check(sd_bus_set_bus_client(bus, true), "sd_bus_set_bus_client");
    check(sd_bus_start(bus), "sd_bus_start");
    check(sd_bus_add_match(bus, NULL, match, handler, x), "sd_bus_add_match");
}

static int on_word(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct exchange *x = userdata;
    uint32_t index;
    uint64_t number;

    (void)error;
    check(sd_bus_message_read(message, "ut", &index, &number), "sd_bus_message_read");
    if (number == 0) {
        least++; /* it has come */
    } else {
        least = least_of(heard_of, x->subscribers, index, number);
    }
    got = true;
    return 0;
}

/* False: there is nothing now. */
static bool process(struct exchange *x)
{
    int r;

    got = false;
    do {
        r = sd_bus_process(bus, NULL);
        check(r, "sd_bus_process");
        if (r == 0 && x->sleeps) {
            check(sd_bus_wait(bus, UINT64_MAX), "sd_bus_wait");
        }
    } while (!got && (r > 0 || x->sleeps));
    return got;
}

static void publisher(struct exchange *x)
{
    join("type='signal',member='word',interface='" INTERFACE "'", on_word, x);
    check(sd_bus_request_name(bus, PUBLISHER, 0), "sd_bus_request_name");
    while (least < x->subscribers) {
        (void)process(x);
    }
    least = 0;
}

static int on_record(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    struct exchange *x = userdata;
    const void *bytes;
    size_t size;

    (void)error;
    check(sd_bus_message_read_array(message, 'y', &bytes, &size), "sd_bus_message_read_array");
    memcpy(x->buffer, bytes, size < x->size ? size : x->size);
    got = true;
    return 0;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    sd_bus_message *message;

    check(sd_bus_message_new_signal(bus, &message, PATH, INTERFACE, "word"), "message_new");
    check(sd_bus_message_set_destination(message, PUBLISHER), "set_destination");
    check(sd_bus_message_append(message, "ut", x->index, number), "append");
    check(sd_bus_send(bus, message, NULL), "sd_bus_send");
    (void)sd_bus_message_unref(message);
}

static void subscriber(struct exchange *x)
{
    join("type='signal',member='record',interface='" INTERFACE "'", on_record, x);
    /* Only once the publisher has its name does anybody hear us. */
    for (;;) {
        if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", "GetNameOwner", NULL, NULL, "s",
                               PUBLISHER) >= 0) {
            break;
        }
        (void)usleep(1000);
    }
    acknowledge(x, 0);
    check(sd_bus_flush(bus), "sd_bus_flush");
}

static bool send(struct exchange *x)
{
    sd_bus_message *message;

    record_make(x);
    check(sd_bus_message_new_signal(bus, &message, PATH, INTERFACE, "record"), "message_new");
    check(sd_bus_message_append_array(message, 'y', x->buffer, x->size), "append");
    check(sd_bus_send(bus, message, NULL), "sd_bus_send");
    (void)sd_bus_message_unref(message);
    return true;
}

static uint64_t heard(struct exchange *x)
{
    (void)process(x);
    return least;
}

const struct peer peer = {
    .name = "dbus",
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP,
    .subscribers_max = SUBSCRIBERS_MAX,
    .sleeps_in_crowd = true,
    .window_max = DEPTH,
    .prepare = prepare,
    .publisher = publisher,
    .subscriber = subscriber,
    .send = send,
    .heard = heard,
    .receive = process,
    .acknowledge = acknowledge,
};
