/* SPDX-License-Identifier: MIT
 *
 * libshmd: reading the records of shmd(8), and publishing some.
 *
 * Common to all functions:
 *
 *   - Failure is a negative errno value. What the caller may want to tell apart from success is a
 *     positive enumerator, named at the function.
 *   - Parameters named `ret…` are written only on success; but what a function makes, a handle or a
 *     document, is NULL after a failure.
 *   - A handle belongs to the process that made it: a child that was forked must not use it, nor
 *     end it, and keeps neither its session alive nor its segment attached.
 *   - Durations are in microseconds.
 *   - Nothing is printed, no thread is started, no signal is handled, and there is no state outside
 *     the handles. A handle is for one thread at a time; different handles are independent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * An anonymous client: one that knows nothing but the key of a segment, of either layout.
 *
 * In the plain layout the segment holds one record at a time. Other anonymous clients may read the
 * same record, and whoever acknowledges it first lets the daemon refill the segment. For that, this
 * works against every program that keeps the plain layout, see shmd-protocol(7).
 *
 * A ring is only looked at: nobody waits for an anonymous client, nor hears of it. It reads the
 * records in order for as long as it keeps up; when it has been overtaken it goes on with the
 * oldest record that is still whole, and knows how many it lost.
 */
struct shmd_anonymous;

/* What can be seen of a segment by its key alone. */
struct shmd_anonymous_info {
    uint32_t key;
    int id;               /* of the segment, as ipcs(1) shows it */
    size_t size;          /* in bytes */
    mode_t mode;          /* permission bits only */
    uid_t owner_uid;      /* the owner now; who created the segment may have been another */
    gid_t owner_gid;      /* likewise */
    pid_t creator_pid;    /* who created the segment; it may have ended */
    pid_t last_pid;       /* who else attached or detached last; it may have ended */
    size_t attached;      /* how often the segment is attached, not counting this handle */
    bool record_waits;    /* a record is there; plain: not acknowledged */
    size_t record_length; /* its length in bytes (ring: of the oldest one); 0 if there is none */
    bool ring;            /* else plain */
    bool overwrite;       /* ring: the newest data wins; else its subscribers are waited for */
    size_t record_max;    /* no record is longer, in bytes: what a buffer must hold */
};

/* What shmd_anonymous_acknowledge() may return besides 0. */
enum {
    SHMD_ALREADY_ACKNOWLEDGED = 1,
};

/* A timeout that never ends. */
#define SHMD_FOREVER UINT64_MAX

/*
 * Attaches the segment with this key, for reading only or, if `writable`, for acknowledging too. A
 * ring, which no client writes, is attached for reading only in any case. *ret is the caller's, who
 * closes it with shmd_anonymous_close().
 *
 * key: 1…UINT32_MAX.
 *
 * Returns 0, or
 *   -EINVAL  the key is 0
 *   -ENOENT  no segment has this key
 *   -EACCES  the mode of the segment does not let this user read it (or write to it, if `writable`)
 *   -EPROTO  it is a ring of a version that is not known here
 *   -ENOMEM  no memory
 * and what else shmat(2) fails with.
 *
 * Since 0.1.
 */
int shmd_anonymous_open(uint32_t key, bool writable, struct shmd_anonymous **ret);

/*
 * Detaches the segment, and frees the handle; NULL is fine. A record that was not acknowledged
 * stays for the next client.
 *
 * Returns NULL.
 *
 * Since 0.1.
 */
struct shmd_anonymous *shmd_anonymous_close(struct shmd_anonymous *handle);

/*
 * Copies the next record into `buffer`, and waits for it while there is none.
 *
 * Plain: the first call takes the record that stands in the segment; after that, the next record is
 * one that was published later: it differs from the one before, or the segment was seen
 * acknowledged in between, or this handle has acknowledged. (A refill with the very same bytes
 * after somebody else's acknowledgement can therefore go unnoticed.)
 *
 * Ring: the first call takes the oldest record that is held; after that, one after the other.
 * shmd_anonymous_place() says its number, and how many were lost before it.
 *
 * size: of the buffer, at least `record_max` of shmd_anonymous_info(). What lies in the buffer
 * after a failure, or behind the record, is undefined; no NUL is added. timeout_usec: how long to
 * wait; 0 looks once, SHMD_FOREVER waits without end. ret_length: the length of the record in
 * bytes; 0 only in a ring.
 *
 * Returns 0, or
 *   -ETIMEDOUT  no new record came in time
 *   -ENOLINK    nobody serves the segment any more: it has been removed, or nobody but this handle
 *               has had it attached for one second of waiting. (A daemon that was killed is back
 *               within that time. Other clients that wait count as attached: then, as with a
 *               shorter timeout, the wait ends with -ETIMEDOUT.) Or another ring has taken its
 *               place in the same segment, whose records are counted anew: open it again
 *   -EMSGSIZE   the buffer is smaller than the longest record
 *   -EPROTO     ring: what stands there is no record; whoever writes the segment is no shmd
 *   -EINTR      a signal handler interrupted the wait
 *   -EACCES     the mode of the segment was changed, and does not let this user read it any more
 *
 * Since 0.1.
 */
int shmd_anonymous_read(struct shmd_anonymous *handle, void *buffer, size_t size,
                        uint64_t timeout_usec, size_t *ret_length);

/*
 * Takes what is there now for read, so that shmd_anonymous_read() returns only what is published
 * later. Plain: the record that stands in the segment can then not be acknowledged by this handle.
 *
 * Returns 0, or -EPROTO as shmd_anonymous_read().
 *
 * Since 0.1.
 */
int shmd_anonymous_skip(struct shmd_anonymous *handle);

/*
 * Ring: says of the record that was read last its number, counted from 1 within an epoch, and how
 * many records were written over between the one that was read before and this one. Plain: 0 and 0,
 * it has no numbers. `ret_lost` may be NULL.
 *
 * Since 0.1.
 */
void shmd_anonymous_place(const struct shmd_anonymous *handle, uint64_t *ret_number,
                          uint64_t *ret_lost);

/*
 * Acknowledges the record that was read last, and no other one.
 *
 * Returns 0; SHMD_ALREADY_ACKNOWLEDGED if that record does not stand in the segment any more,
 * because somebody else was first (then nothing was written); or
 *   -EROFS    the handle is for reading only, or the segment is a ring
 *   -ENODATA  no record was read since the last acknowledgement
 *   -ENOLINK  the segment has been removed, or is about to be: nobody would see the acknowledgement
 *   -EACCES   as shmd_anonymous_read()
 *
 * The plain layout has no record numbers: if somebody else has acknowledged, and the refill has the
 * very same bytes, it is that refill which is acknowledged.
 *
 * Since 0.1.
 */
int shmd_anonymous_acknowledge(struct shmd_anonymous *handle);

/*
 * Describes the segment as it is now. Takes no record and changes nothing.
 *
 * Returns 0, or
 *   -ENOLINK  the segment has been removed
 *   -EACCES   as shmd_anonymous_read()
 *
 * Since 0.1.
 */
int shmd_anonymous_info(const struct shmd_anonymous *handle, struct shmd_anonymous_info *ret);

/*
 * A subscriber: a client with a session. The daemon knows who it is, in the kernel's word; it gets
 * every record from where it started, in order, and the daemon waits for its acknowledgement (or,
 * where the newest data wins, it learns how many records it lost).
 *
 * When the daemon is restarted, a subscriber notices a pause at most. Where that ends its session
 * (there was no systemd to keep it), and when there is another segment, it connects again by itself
 * and goes on with the record behind the last one that it was given: as long as it is back within
 * its lease, the daemon has kept all that it has not acknowledged.
 */
struct shmd_subscriber;

enum shmd_start {
    SHMD_START_DEFAULT, /* in a ring that overwrites from the newest record, else as OLDEST */
    SHMD_START_OLDEST,  /* from the oldest record that is still held */
    SHMD_START_NEXT,    /* what is published from now on */
};

/* What to subscribe to. All zeros are the defaults. */
struct shmd_options {
    const char *instance; /* NULL: the main one, "shmd" */
    const char *socket;   /* path of the daemon's socket; NULL: /run/shmd/INSTANCE.sock */
    const char *name;     /* what to be called in the journal, at most 31 bytes; NULL: nothing */
    enum shmd_start start;
};

struct shmd_record {
    uint64_t number;  /* counted from 1 within an epoch */
    const void *data; /* how long it is valid, shmd_next() says */
    size_t length;    /* in bytes */
    uint64_t lost;    /* records before this one that were written over before they were read */
};

/* What is known of a subscription. */
struct shmd_subscription {
    uint32_t key;
    int segment_id;
    size_t segment_size;
    bool ring;      /* else plain */
    bool overwrite; /* the newest data wins; else the daemon waits for its subscribers */
    uint8_t epoch[16];
    uint64_t lease_usec;   /* how long an acknowledgement may be owed, see shmd.conf(5) */
    bool connected;        /* else it tries to connect again, or has been evicted */
    uint64_t acknowledged; /* the last record that was acknowledged by this subscriber; 0: none */
    uint64_t lost;         /* records lost in this session */
};

/*
 * Subscribes. `options` may be NULL; its strings are copied. *ret is the caller's, who ends the
 * subscription with shmd_unsubscribe().
 *
 * Returns 0, or
 *   -ENOENT, -ECONNREFUSED  no daemon listens there
 *   -EACCES    the socket, or the segment, is not for this user
 *   -EPERM     the daemon's configuration does not let this user subscribe
 *   -EUSERS    there are too many sessions, in all or of this user
 *   -ETIMEDOUT the daemon does not answer
 *   -ECONNRESET, -EPIPE  the daemon went away while it was asked, or is of another version
 *   -EPROTO    what answers is no shmd
 *   -EXDEV     the daemon's segment is not here: this is another IPC namespace than the daemon's
 *   -EINVAL    a name or path is too long, or `start` is none of enum shmd_start
 *   -EINTR     a signal handler interrupted it
 *   -EMFILE    this process has no descriptor free (RLIMIT_NOFILE); -ENFILE: the system has none
 *   -ETOOMANYREFS  too many descriptors are on their way from the daemon's user to others
 *   -EAGAIN    the daemon has no segment at the moment
 * and what socket(2), connect(2), mmap(2) and shmat(2) fail with. -EMFILE, -ENFILE, -ETOOMANYREFS,
 * -EAGAIN, -EUSERS, -ENOBUFS and -ENOMEM pass: try again later.
 *
 * Since 0.1.
 */
int shmd_subscribe(const struct shmd_options *options, struct shmd_subscriber **ret);

/*
 * Ends the subscription, and frees the handle; NULL is fine. Returns NULL. What was acknowledged
 * while the daemon was away is told before, if a daemon is there: one that is just being started
 * again may take up to 5 seconds to answer. Since 0.1.
 */
struct shmd_subscriber *shmd_unsubscribe(struct shmd_subscriber *subscriber);

/*
 * The next record, without waiting and, mostly, without a system call. Several records may be taken
 * before they are acknowledged (plain: only one is there at a time).
 * Only where the session has ended does it wait, for another one: for some seconds at most.
 *
 * ret->data: in a ring whose daemon waits for its subscribers, it points into the segment, and
 * stays valid until the record is acknowledged, or until shmd_next(), shmd_wait() or shmd_arm()
 * finds that the session has ended; otherwise into a buffer of the handle, until the next call of
 * shmd_next(). Where the lease may run out in between, what was read is certain only if
 * shmd_acknowledge() succeeds.
 *
 * Returns 0, or
 *   -EAGAIN  there is none now: shmd_wait(), or shmd_arm() and shmd_get_fd(). Before it leaves a
 *            segment for another one, also while records that it has returned are not acknowledged:
 *            it waits for that for half the lease
 *   -ETIME   the lease ran out, this subscriber was evicted; or the daemon was killed, and the next
 *            one has written over what was returned and not acknowledged: unsubscribe, and then
 *            subscribe anew
 * and, when it had to connect again and was refused for good, what shmd_subscribe() returns.
 *
 * Since 0.1.
 */
int shmd_next(struct shmd_subscriber *subscriber, struct shmd_record *ret);

/*
 * Waits until shmd_next() has something to say, for at most timeout_usec (SHMD_FOREVER: no end). It
 * looks for a moment before it sleeps.
 *
 * Returns 0, -ETIMEDOUT, or -EINTR if a signal handler interrupted it. Where shmd_next() has said
 * that there will be no more, it says so, too: with the same error, at once.
 *
 * Since 0.1.
 */
int shmd_wait(struct shmd_subscriber *subscriber, uint64_t timeout_usec);

/*
 * For event loops: a descriptor that becomes readable when there is news, if shmd_arm() was called
 * before. It stays the same for the life of the handle, and is the handle's to close.
 *
 * Since 0.1.
 */
int shmd_get_fd(const struct shmd_subscriber *subscriber);

/*
 * Announces that the caller is about to sleep on shmd_get_fd(). Returns 0; or SHMD_NEWS if there is
 * news already: then don't sleep, call shmd_next(). Where that has said that there will be no more,
 * it returns the same error.
 *
 * Since 0.1.
 */
int shmd_arm(struct shmd_subscriber *subscriber);

/* What shmd_arm() may return besides 0. */
enum {
    SHMD_NEWS = 1,
};

/*
 * Acknowledges all records up to and including `number`, which shmd_next() has returned. Doing so
 * twice is fine.
 *
 * Returns 0, or
 *   SHMD_LATER  the daemon is away; it is told when shmd_next() has connected again, or by
 *               shmd_unsubscribe(). (So it is after 0, if the daemon was killed and nobody knows it
 *               yet.)
 *   -EINVAL     that record was not returned yet, or it was in an epoch that has ended
 *   -ETIME      the lease ran out before, of this daemon or of the next one: what was read since
 *               the last acknowledgement is not certain
 *
 * Since 0.1.
 */
int shmd_acknowledge(struct shmd_subscriber *subscriber, uint64_t number);

/* What shmd_acknowledge() may return besides 0. */
enum {
    SHMD_LATER = 1,
};

/* Describes the subscription as it is now. Since 0.1. */
void shmd_describe(const struct shmd_subscriber *subscriber, struct shmd_subscription *ret);

/*
 * A publisher: a client whose records the daemon publishes, where its source is "push". It writes
 * them into a ring of its own; the daemon takes them from there in order, publishes each under the
 * next number of its segment, and confirms them. Several publishers have their turns one after the
 * other.
 *
 * The publisher numbers its records from 1, for the life of the handle. By that number each is
 * published exactly once, whoever is killed in between: when the daemon is restarted, the publisher
 * goes on, or connects again by itself and hands in anew what is not confirmed. What the publisher
 * has handed in when it dies is published, if the daemon lives or systemd restarts it.
 */
struct shmd_publisher;

/* What is known of a publication. */
struct shmd_publication {
    uint32_t key;       /* of the segment into which the records go */
    bool ring;          /* else plain */
    size_t record_max;  /* no record may be longer, in bytes */
    uint8_t epoch[16];  /* of the daemon */
    bool connected;     /* else it is trying to connect again */
    uint64_t handed_in; /* the last record that was handed in; 0: none */
    uint64_t confirmed; /* all records up to this one are published, or rejected */
    uint64_t rejected;  /* so many of them, as far as it was told; the journal says why */
};

/*
 * Connects as a publisher. `options` may be NULL; its strings are copied, `start` does not count.
 * *ret is the caller's, who ends it with shmd_publisher_close().
 *
 * Returns 0, or
 *   -EPERM      the daemon's configuration does not let this user publish
 *   -EOPNOTSUPP the daemon's source is not "push"
 * and what else shmd_subscribe() returns.
 *
 * Since 0.1.
 */
int shmd_publisher_open(const struct shmd_options *options, struct shmd_publisher **ret);

/*
 * Ends it, and frees the handle; NULL is fine. Does not wait: what was handed in is published, but
 * nobody confirms it any more; shmd_publisher_flush() comes first. Returns NULL.
 *
 * Since 0.1.
 */
struct shmd_publisher *shmd_publisher_close(struct shmd_publisher *publisher);

/*
 * Hands a record in: copies it, without a system call unless the daemon sleeps. Where there is no
 * room, because the daemon has not taken enough yet (its own segment is full, and waits for the
 * slowest subscriber), it waits for at most timeout_usec; 0: not at all, SHMD_FOREVER: no end.
 *
 * data, length: in bytes, at most record_max; `data` may be NULL if the length is 0. ret_number may
 * be NULL.
 *
 * Returns 0, or
 *   -EAGAIN     no room, and timeout_usec was 0
 *   -ETIMEDOUT  no room in time
 *   -EINTR      a signal handler interrupted the wait
 *   -EMSGSIZE   it is longer than record_max
 *   -EBADMSG    plain: it is empty, begins with '*', or contains a NUL byte
 * and, when it had to connect again and was refused, what shmd_publisher_open() returns. Then a
 * later call asks the daemon anew, ten times a second at most: what is not confirmed is kept.
 *
 * Since 0.1.
 */
int shmd_publisher_publish(struct shmd_publisher *publisher, const void *data, size_t length,
                           uint64_t timeout_usec, uint64_t *ret_number);

/*
 * Waits until all that was handed in is confirmed, for at most timeout_usec. Returns 0, -ETIMEDOUT
 * or -EINTR; or, as shmd_publisher_publish(), why it will not be.
 *
 * Since 0.1.
 */
int shmd_publisher_flush(struct shmd_publisher *publisher, uint64_t timeout_usec);

/*
 * For event loops: a descriptor that becomes readable when records were confirmed (so that there
 * may be room), if shmd_publisher_arm() was called before. It stays the same for the life of the
 * handle, and is the handle's to close.
 *
 * Since 0.1.
 */
int shmd_publisher_get_fd(const struct shmd_publisher *publisher);

/*
 * Announces that the caller is about to sleep on shmd_publisher_get_fd(). `confirmed` is what it
 * knows to be confirmed: by shmd_publisher_confirmed(), called before the shmd_publisher_publish()
 * that had no room. Returns 0; or SHMD_NEWS if there is more by now, or room: then don't sleep; or
 * why nothing is confirmed any more, as shmd_publisher_publish().
 *
 * Since 0.1.
 */
int shmd_publisher_arm(struct shmd_publisher *publisher, uint64_t confirmed);

/*
 * Up to which of its records all are confirmed. Connects again where that is needed, and returns
 * in *ret what was confirmed when it was connected last if that fails for now.
 *
 * Returns 0, or why it was not connected again, as shmd_publisher_publish().
 *
 * Since 0.1.
 */
int shmd_publisher_confirmed(struct shmd_publisher *publisher, uint64_t *ret);

/* Describes the publication as it is now. Since 0.1. */
void shmd_publisher_describe(const struct shmd_publisher *publisher, struct shmd_publication *ret);

/*
 * Asks the daemon how it is: a JSON document, NUL-terminated, the caller's to free(3). Of
 * `options`, instance and socket count. Errors as shmd_subscribe().
 *
 * Since 0.1.
 */
int shmd_status(const struct shmd_options *options, char **ret);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
