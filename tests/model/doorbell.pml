/* SPDX-License-Identifier: MIT
 *
 * A model of sleeping and waking (src/proto/page.h), for spin.
 *
 * The daemon publishes records one at a time, and the next one when all subscribers have
 * acknowledged; a subscriber acknowledges each record. So every one of them waits for the others all
 * the time, and one wake-up that is lost stops everything: a deadlock, which spin reports as an
 * invalid end state. Spinning before sleeping is left out: it only makes the race rarer.
 *
 * The memory. Stores of each process to different words become visible in any order, unless a full
 * fence lies between them, and later than the loads that follow, unless a full fence lies between
 * these: each word has a queue of stores on their way. System calls fence nothing here.
 *
 *      step   here                 there
 *      S1 S2  announce_sleep()     page_announce_sleep(); subscribers_announce_sleep()
 *      S3     NEWS after it        has_news() in shmd_arm(); the last work() in turn()
 *      S4     bell > 0             ppoll() in shmd_wait(); sd_event_run() in turn()
 *      S5     announce_awake()     page_announce_awake(); subscribers_announce_awake()
 *      K1     STORE(news, …)       the commit (W4), and page->published; page->acknowledged
 *      K2 K3  ring()               page_must_ring() (or page_fence(), page_sleeps()) and write(), in session_notify(),
 *                                  shmd_acknowledge()
 *
 * The bells. A subscriber's is a socket: it wakes as long as something is in it, and is drained before
 * the next announcement (drain() in shmd_arm()). The daemon's is another one that is watched
 * edge-triggered: each ring wakes once. Either way a ring that finds nobody asleep is kept until the
 * next sleep.
 *
 * Planted bugs, each of which must be caught: -DBUG_S2 no fence after the flag; -DBUG_K2 no fence
 * before looking at the flag; -DBUG_S3 no second look for news; -DBUG_DRAIN it is drained after
 * the announcement's second look and not before it.
 */

#ifndef ROUNDS
#define ROUNDS 3
#endif
#define CLIENTS 2
#define DAEMON  CLIENTS /* a number for the daemon among the processes */

/* Memory, as everybody sees it. */
byte published;
byte acknowledged[CLIENTS];
bool sleeps[CLIENTS + 1];

/* Stores on their way: of the daemon's news, of acknowledgements, of flags (one daemon_sleeps for
 * each page, but all are stored between the same two fences: one word stands for them). */
chan published_on_its_way = [2] of { byte };
chan acknowledged_on_its_way[CLIENTS] = [2] of { byte };
chan sleeps_on_its_way[CLIENTS + 1] = [2] of { bool };

/* The kernel's, which keeps everything in order. */
bool bell[CLIENTS + 1];

/* Makes stores visible, whenever and in whatever order. */
proctype memory()
{
    byte i;

end:
    do
    :: atomic { published_on_its_way?published }
    :: atomic { acknowledged_on_its_way[0]?acknowledged[0] }
    :: atomic { acknowledged_on_its_way[1]?acknowledged[1] }
    :: atomic { sleeps_on_its_way[0]?sleeps[0] }
    :: atomic { sleeps_on_its_way[1]?sleeps[1] }
    :: atomic { sleeps_on_its_way[DAEMON]?sleeps[DAEMON] }
    od
}

/* atomic_thread_fence(memory_order_seq_cst): all stores of this process are visible. */
#define DAEMON_FENCE    (len(published_on_its_way) == 0 && len(sleeps_on_its_way[DAEMON]) == 0)
#define CLIENT_FENCE(c) (len(acknowledged_on_its_way[c]) == 0 && len(sleeps_on_its_way[c]) == 0)

inline announce_sleep(who, fence)
{
    sleeps_on_its_way[who]!true; /* S1 */
#ifndef BUG_S2
    fence                        /* S2 */
#endif
}

inline announce_awake(who)
{
    sleeps_on_its_way[who]!false /* S5 */
}

inline ring(whom, fence)
{
#ifndef BUG_K2
    fence; /* K2 */
#endif
    if     /* K3 */
    :: sleeps[whom] -> bell[whom] = true
    :: else
    fi
}

#define ALL_ACKNOWLEDGED (acknowledged[0] >= n && acknowledged[1] >= n)

proctype daemon()
{
    byte n; /* published so far */

    do
    :: n == ROUNDS && ALL_ACKNOWLEDGED -> break
    :: n < ROUNDS && ALL_ACKNOWLEDGED ->
        n++;
        published_on_its_way!n; /* K1 */
        ring(0, DAEMON_FENCE);
        ring(1, DAEMON_FENCE)
    :: !ALL_ACKNOWLEDGED ->
        announce_sleep(DAEMON, DAEMON_FENCE);
        if
#ifndef BUG_S3
        :: ALL_ACKNOWLEDGED /* S3 */
        :: !ALL_ACKNOWLEDGED ->
#else
        :: true ->
#endif
            atomic { bell[DAEMON] -> bell[DAEMON] = false } /* S4: the edge is used up */
        fi;
        announce_awake(DAEMON)
    od
}

proctype client(byte me)
{
    byte n; /* read and acknowledged so far */

    do
    :: n == ROUNDS -> break
    :: published > n ->
        n++;
        acknowledged_on_its_way[me]!n; /* K1 */
        ring(DAEMON, CLIENT_FENCE(me))
    :: published <= n && n < ROUNDS ->
#ifndef BUG_DRAIN
        bell[me] = false; /* drain() */
#endif
        announce_sleep(me, CLIENT_FENCE(me));
        if
#ifndef BUG_S3
        :: published > n /* S3 */
        :: published <= n ->
#else
        :: true ->
#endif
#ifdef BUG_DRAIN
            bell[me] = false;
#endif
            bell[me] /* S4: what is in the socket stays there */
        fi;
        announce_awake(me)
    od
}

init
{
    atomic {
        run memory();
        run daemon();
        run client(0);
        run client(1)
    }
}
