/* SPDX-License-Identifier: MIT */
#include "daemon/intake.h"
#include "base/clock.h"
#include "base/shortage.h"
#include "base/timer.h"
#include "daemon/manager.h"
#include "daemon/publishers.h"
#include "daemon/report.h"
#include "daemon/status.h"

#include <string.h>
#include <sysexits.h>

/* A source that has lived for so long is begun anew without a pause. */
#define LIVED_USEC (10 * USEC_PER_SEC)

#define REFILLS_MAX 256 /* records published before anybody is told */

/* --- what the source says --- */

static void pause_then_ask(struct manager *manager, uint64_t pause)
{
    int r = timer_start(manager->intake.ask_source, pause);

    if (r < 0) {
        report_gave_up(manager, r);
        (void)sd_event_exit(manager->event, EX_OSERR);
    }
}

/* Nothing usable came: the source is asked again, after a pause if that goes on. */
static void ask_again(struct manager *manager)
{
    manager->intake.placed = 0;
    pause_then_ask(manager, refill_failed(&manager->intake.refill));
}

static size_t on_longest(void *userdata)
{
    return board_longest(&((struct manager *)userdata)->board);
}

static size_t on_filling(void *userdata)
{
    return board_filling(&((struct manager *)userdata)->board);
}

/*
 * A place for the source, of up to `length` bytes: as much as fits into the segment that there is
 * now, or what is shown of a record that does not.
 */
static void give_place(struct manager *manager, size_t length)
{
    struct intake *intake = &manager->intake;
    size_t longest = board_longest(&manager->board);
    size_t room = longest > BOARD_EXCERPT ? longest : BOARD_EXCERPT;

    intake->placed = length < room ? length : room;
    intake->place = board_place(&manager->board, &intake->placed);
}

static char *on_place(void *userdata, size_t *length)
{
    struct manager *manager = userdata;

    intake_make_way(manager, *length);
    give_place(manager, *length);
    *length = manager->intake.placed;
    return manager->intake.place;
}

static void note_trouble(struct manager *manager, const char *reason)
{
    struct trouble *trouble = &manager->intake.trouble;

    if (!*trouble->reason) {
        trouble->since_usec = clock_usec_since_1970();
    }
    (void)snprintf(trouble->reason, sizeof(trouble->reason), "%s", reason);
    status_refresh(manager, clock_usec());
}

static void end_trouble(struct manager *manager)
{
    if (*manager->intake.trouble.reason) {
        manager->intake.trouble = (struct trouble){0};
        status_refresh(manager, clock_usec());
    }
}

static void on_fail(void *userdata, const char *reason)
{
    struct manager *manager = userdata;

    report_source_failed(manager, reason);
    note_trouble(manager, reason);
    ask_again(manager);
}

void intake_note(struct manager *manager, bool due)
{
    struct intake *intake = &manager->intake;

    refill_delivered(&intake->refill);
    end_trouble(manager);
    intake->placed = 0;
    intake->outdated = false;
    intake->published = true;
    if (due) {
        intake_show(manager);
    }
}

/* What came about by itself, nobody makes anew: the state knows so before anybody has it. */
void intake_show_added(struct manager *manager)
{
    const struct source *source = manager->intake.feed.source;
    uint64_t added = board_added(&manager->board);

    if (source && source->live && added > board_newest(&manager->board)) {
        manager->state->file->live = added;
    }
    board_show(&manager->board);
}

void intake_show(struct manager *manager)
{
    bool collected = manager->turn.collected != NULL;

    if (collected) {
        publishers_note(manager);
    }
    intake_show_added(manager);
    if (collected) {
        publishers_count(manager);
    }
}

static void on_deliver(void *userdata, size_t length)
{
    struct manager *manager = userdata;
    struct intake *intake = &manager->intake;
    const char *objection;

    if (intake->placed == 0) {
        give_place(manager, 0);
    }
    objection = board_objection(&manager->board, intake->place, length);
    if (intake->torn) {
        intake->torn = false;
        on_fail(manager, "no memory to take a record along into another segment");
        return;
    }
    if (!objection && length > intake->placed) {
        on_fail(manager, "the segment became a larger one while the record came");
        return;
    }
    if (objection) {
        manager->state->file->rejected++;
        report_rejected(manager, NULL, objection, length, intake->place,
                        length < intake->placed ? length : intake->placed);
        if (intake->feed.source->driver->is_sequence) {
            intake->placed = 0;
            pause_then_ask(manager, 0);
        } else {
            ask_again(manager);
        }
        return;
    }
    /* Who takes his time for the next one keeps nobody waiting for this one. */
    intake_note(manager,
                board_add(&manager->board, length) || !intake->feed.source->driver->is_prompt);
}

static bool on_collect(void *userdata)
{
    return publishers_collect(userdata);
}

/* The source is not asked any more: it stays asked. */
static void on_end(void *userdata, const char *reason)
{
    struct manager *manager = userdata;

    manager->intake.placed = 0;
    manager->intake.ended = true;
    report_source_ended(manager, reason);
    note_trouble(manager, reason);
}

static void on_outdate(void *userdata)
{
    struct manager *manager = userdata;

    manager->intake.outdated = true;
}

static void on_say(void *userdata, const char *line, size_t length)
{
    report_source_said(userdata, line, length);
}

static const struct source_host host = {
    .longest = on_longest,
    .filling = on_filling,
    .place = on_place,
    .deliver = on_deliver,
    .fail = on_fail,
    .end = on_end,
    .outdate = on_outdate,
    .collect = on_collect,
    .say = on_say,
};

/* --- opening --- */

static int open_feed(struct manager *manager, const char *type, struct conf *conf, struct feed *ret)
{
    struct source_context context = {.event = manager->event, .host = &host, .userdata = manager};

    return feed_open(ret, type, conf, &context);
}

int intake_open(struct manager *manager, struct conf *conf, struct feed *ret)
{
    return open_feed(manager, conf->source_type, conf, ret);
}

int intake_start(struct manager *manager)
{
    CLEANUP(feed_close_cleanup) struct feed named = {0};
    struct conf *conf = manager->conf;
    int r = intake_open(manager, conf, &named);

    if (r == 0 && !feed_is_push(conf) && sessions_count(manager->sessions, MESSAGE_PUBLISHER) > 0) {
        r = open_feed(manager, FEED_PUSH, conf, &manager->intake.feed);
    }
    if (r == 0) {
        intake_switch(manager, &named);
    }
    return r;
}

const char *intake_source_type(const struct manager *manager)
{
    const struct source *source = manager->intake.feed.source;

    return source ? source->driver->name : manager->conf->source_type;
}

bool intake_has(const struct manager *manager, const struct conf *conf)
{
    const struct intake *intake = &manager->intake;
    const struct feed *newest = intake->next.source ? &intake->next : &intake->feed;

    return newest->source && conf_same(newest->conf, conf, "source.");
}

/* The one before is closed; whatever it had been asked for is asked of this one. */
static void take_turns(struct manager *manager, struct feed *next)
{
    struct intake *intake = &manager->intake;

    source_start(next->source);
    intake->feed = feed_close(&intake->feed);
    intake->feed = *next;
    *next = (struct feed){0};
    intake->refill = (struct refill){0};
    end_trouble(manager);
    intake->ended = false;
    intake->placed = 0;
    intake->opened_usec = clock_usec();
    (void)sd_event_source_set_enabled(intake->ask_source, SD_EVENT_OFF);
}

void intake_switch(struct manager *manager, struct feed *next)
{
    struct intake *intake = &manager->intake;

    intake->next = feed_close(&intake->next);
    intake->restarts = 0;
    if (intake->feed.source && !intake->ended && source_retire(intake->feed.source)) {
        intake->next = *next;
        *next = (struct feed){0};
    } else {
        take_turns(manager, next);
    }
}

void intake_hurry(struct manager *manager)
{
    int enabled;

    if (sd_event_source_get_enabled(manager->intake.ask_source, &enabled) > 0) {
        manager->intake.refill.failures = 0;
        pause_then_ask(manager, 0);
    }
}

/* Begun anew: at once where it had lived for a while, after a pause where it had not. */
static void restart(struct manager *manager)
{
    struct intake *intake = &manager->intake;

    if (clock_usec() - intake->opened_usec >= LIVED_USEC) {
        intake->restarts = 0;
    }
    intake->feed = feed_close(&intake->feed);
    pause_then_ask(manager, refill_pause(intake->restarts++));
}

void intake_turn(struct manager *manager, const struct progress *progress)
{
    struct intake *intake = &manager->intake;

    if (!intake->ended) {
        return;
    }
    if (intake->next.source) {
        take_turns(manager, &intake->next);
        return;
    }
    switch ((enum on_end)manager->conf->source_on_end) {
    case ON_END_HOLD:
        break;
    case ON_END_RESTART:
        intake->ended = false;
        restart(manager);
        break;
    case ON_END_EXIT:
        if (board_is_all_acknowledged(&manager->board, progress)) {
            (void)sd_event_exit(manager->event, EXIT_SUCCESS);
        }
        break;
    }
}

/* --- asking --- */

static int on_ask(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    struct intake *intake = &manager->intake;

    (void)s;
    (void)usec;
    if (!intake->feed.source) {
        int r = intake_open(manager, manager->conf, &intake->feed);

        if (r < 0) {
            on_fail(manager, error_text(r));
            return 0;
        }
        source_start(intake->feed.source);
        intake->opened_usec = clock_usec();
    }
    source_ask(intake->feed.source);
    return 0;
}

int intake_new(struct manager *manager)
{
    return timer_new(manager->event, 1, on_ask, manager, &manager->intake.ask_source);
}

/* Asks for a record, or whether there is one by now; true if one has come. */
static bool ask(struct intake *intake)
{
    if (refill_wanted(&intake->refill)) {
        source_ask(intake->feed.source);
    } else if (intake->feed.source && !intake->ended) {
        source_poke(intake->feed.source);
    }
    return !intake->refill.asked;
}

/*
 * Publishes a group of records that are made up. False: the source is to be asked. flatten: see
 * stream.h.
 */
__attribute__((flatten)) static bool make_group(struct manager *manager)
{
    struct intake *intake = &manager->intake;
    struct board *board = &manager->board;
    struct source *source = intake->feed.source;
    size_t length;

    if (board->layout != LAYOUT_RING || intake->refill.asked || !source || !source->driver->make) {
        return false;
    }
    length = source->driver->measure(source);
    if (length > board_longest(board)) {
        return false; /* it is rejected in the usual way */
    }
    do {
        source->driver->make(source, stream_place(&board->stream, length), length);
    } while (!stream_add(&board->stream, length));
    intake_note(manager, true);
    return true;
}

/* Where the newest wins, what comes about by itself waits for nobody. */
static bool waits_for_nobody(const struct manager *manager)
{
    const struct source *source = manager->intake.feed.source;

    return source && source->live && board_overwrites(&manager->board);
}

void intake_fill(struct manager *manager, const struct progress *progress)
{
    const struct board *board = &manager->board;
    uint64_t last = board_added(board) + REFILLS_MAX;
    bool always = waits_for_nobody(manager);

    board_begin(&manager->board, manager->round_usec);
    while (board_added(board) < last && (always || board_wants(board, progress)) &&
           (make_group(manager) || ask(&manager->intake))) {
    }
    intake_show(manager);
    manager->round_usec = board_end(&manager->board);
}

bool intake_collects(const struct manager *manager)
{
    return !manager->intake.ended && feed_collects(&manager->intake.feed);
}

bool intake_awaits_publishers(const struct manager *manager)
{
    return manager->intake.refill.asked && intake_collects(manager);
}

void intake_repeat(struct manager *manager)
{
    struct intake *intake = &manager->intake;

    if (intake->feed.source && intake->refill.asked && !intake->ended) {
        source_repeat(intake->feed.source);
    }
}

/* --- another segment --- */

void intake_lift(struct manager *manager)
{
    struct intake *intake = &manager->intake;

    if (intake->placed > 0 && !intake->moved) {
        intake->moved = malloc(intake->placed);
        if (intake->moved) {
            memcpy(intake->moved, intake->place, intake->placed);
        }
        intake->torn = !intake->moved;
    }
}

void intake_put_down(struct manager *manager)
{
    struct intake *intake = &manager->intake;

    if (intake->placed > 0) {
        give_place(manager, intake->placed);
    }
    if (intake->moved) {
        memcpy(intake->place, intake->moved, intake->placed);
        free(intake->moved);
        intake->moved = NULL;
    }
}

void intake_close(struct intake *intake)
{
    intake->feed = feed_close(&intake->feed);
    intake->next = feed_close(&intake->next);
    intake->ask_source = sd_event_source_unref(intake->ask_source);
    free(intake->moved);
    intake->moved = NULL;
}
