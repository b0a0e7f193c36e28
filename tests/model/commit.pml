/* SPDX-License-Identifier: MIT
 *
 * A model of the ring's commit protocol (src/proto/ring.h), for spin.
 *
 * The ring. PLACES lines, each with two words: `number`, where the number of a record would stand,
 * and `body`, which stands for all else in the line: the length and the first bytes of a record, or
 * a further line of its bytes. A record takes one or two lines (a quarter of the ring at most). Bytes
 * are data of unknown origin, and so is what lay in the ring before: both are ANY, and when ANY is
 * read as a number or a length, spin tries every value that could mislead. Beside each body the model
 * keeps what no program sees: whose bytes these are.
 *
 * The memory. Stores of the writer go through a buffer, and leave it in any order, except that
 *   - two stores to the same word keep their order,
 *   - a release store leaves it after all that were made before it,
 *   - a release fence lets nothing pass: it waits until the buffer is empty.
 * Loads of a reader are made in the order that acquire loads and acquire fences force on them; all
 * else may be stored in between.
 *
 * The processes, and their lines in src/proto/ (writer.h, reader.h) and src/daemon/ (stream.h):
 *   writer     stream_add(): ring_has_room(), ring_drop_oldest(), ring_reserve() with W1 and the wrap
 *              marker, memcpy(), ring_add() with W2, W3; stream_show(): ring_show() with W4, after each
 *              record or, in `wait`, after several, and at the latest when there is no room for one
 *              more; in `wait`, stream_release()
 *   buffer     the processor's: makes the writer's stores visible
 *   reader     ring_look() with R1, ring_copy() with R2 and R3, ring_advance(), ring_seek_oldest()
 *              after it was overtaken, as ring_next() of src/lib/records.c
 *
 * What is claimed, for -DWAIT (the writer waits for all readers, who use records in place) and
 * without (overwrite, readers copy):
 *   - what is returned is whole, and it is the record that was expected (P1, P2);
 *   - after a loss, the count of lost records is exact: got + lost = the number reached (P2);
 *   - in `wait` nothing is lost, and nobody is overtaken;
 *   - no commit is missed: nobody waits for ever for a record that was published. (A reader that
 *     finds nothing blocks here until it could find something, so that a missed commit is a
 *     deadlock, which spin reports as an invalid end state.)
 *
 * Planted bugs, each of which must be caught: -DBUG_W1 no fence behind the tail; -DBUG_W2 the next
 * number is not cleared; -DBUG_W4 the number is stored without release; -DBUG_R3 the tail is not
 * looked at after copying; -DBUG_R3_FENCE it is, but may be loaded before; -DBUG_SEEK the wrap
 * marker at the tail is believed without a second look at the tail; -DBUG_ROOM no room is kept for
 * the next record's number; -DBUG_SKIP the tail is moved past a wrap marker while the record behind
 * it is still held; -DBUG_GROUP records become visible together where they are written over.
 */

#ifndef READERS
#define READERS 1
#endif
#ifndef RECORDS
#define RECORDS 6
#endif
#define PLACES  8 /* with records of two lines, the least that allows for a wrap */
#define SLOTS   5 /* stores that may be on their way at a time; more must wait */

#ifdef BUG_ROOM
#define NEXT 0
#else
#define NEXT 1 /* line, for the number of the next record */
#endif

#if defined(WAIT) || defined(BUG_GROUP)
#define GROUPS
#endif

#define WRAP 15   /* RING_WRAP */
#define ANY  14   /* bytes that may look like anything */
#define OLD  0    /* nobody's bytes: what lay there before */

#define place(position) ((position) % PLACES)

/* Memory, as everybody sees it. */
byte number[PLACES];
byte body[PLACES];   /* the length of a record in lines, or ANY */
byte owner[PLACES];  /* not in memory: whose bytes `body` is made of */
byte tail;           /* ring_header.tail; positions are in lines */
byte acknowledged[READERS];

/* What was published, as the claims want to know it; not in memory. */
byte lines_of[RECORDS + 1];

/* --- the writer's buffer of stores --- */

#define NUMBER_AT(p) (p)
#define BODY_AT(p)   (PLACES + (p))
#define TAIL         (2 * PLACES)

byte slot_word[SLOTS];
byte slot_value[SLOTS];
byte slot_owner[SLOTS];
bool slot_release[SLOTS];
byte slots;

inline store(word, value, whose, release)
{
    d_step {
        slots < SLOTS;
        slot_word[slots] = word;
        slot_value[slots] = value;
        slot_owner[slots] = whose;
        slot_release[slots] = release;
        slots++
    }
}

inline fence()
{
    slots == 0
}

/* May the store in slot i become visible now? */
#define same(i, j) (slot_word[i] == slot_word[j])
#define FREE0 (slots > 0)
#define FREE1 (slots > 1 && !slot_release[1] && !same(1, 0))
#define FREE2 (slots > 2 && !slot_release[2] && !same(2, 0) && !same(2, 1))
#define FREE3 (slots > 3 && !slot_release[3] && !same(3, 0) && !same(3, 1) && !same(3, 2))
#define FREE4 (slots > 4 && !slot_release[4] && !same(4, 0) && !same(4, 1) && !same(4, 2) && \
               !same(4, 3))

inline leave(i)
{
    if
    :: slot_word[i] < PLACES -> number[slot_word[i]] = slot_value[i]
    :: slot_word[i] >= PLACES && slot_word[i] < TAIL ->
        body[slot_word[i] - PLACES] = slot_value[i];
        owner[slot_word[i] - PLACES] = slot_owner[i]
    :: slot_word[i] == TAIL -> tail = slot_value[i]
    fi;
    k = i + 1;
    do
    :: k < slots ->
        slot_word[k - 1] = slot_word[k];
        slot_value[k - 1] = slot_value[k];
        slot_owner[k - 1] = slot_owner[k];
        slot_release[k - 1] = slot_release[k];
        k++
    :: else -> break
    od;
    slots--;
    slot_word[slots] = 0;
    slot_value[slots] = 0;
    slot_owner[slots] = 0;
    slot_release[slots] = false;
    k = 0
}

proctype buffer()
{
    byte k;

end:
    do
    :: d_step { FREE0 -> leave(0) }
    :: d_step { FREE1 -> leave(1) }
    :: d_step { FREE2 -> leave(2) }
    :: d_step { FREE3 -> leave(3) }
    :: d_step { FREE4 -> leave(4) }
    od
}

/* --- the writer --- */

/* ring_show(), W4 */
inline ring_show()
{
#ifdef BUG_W4
    store(NUMBER_AT(place(group)), group_number, OLD, false);
#else
    store(NUMBER_AT(place(group)), group_number, OLD, true);
#endif
    d_step { group = 0; group_number = 0 }
}

proctype writer()
{
    byte w_head, w_tail;      /* ring_writer.head, .tail */
    byte group, group_number; /* ring_writer.hidden, .hidden_number */
    byte oldest = 1, n = 1;   /* the record at the tail; ring_writer.number */
    byte lines, start;
    byte begins[RECORDS + 2]; /* where records begin, as struct trace knows it */
    byte i;

    do
    :: n > RECORDS -> break
    :: else ->
        d_step { lines = 0; start = 0 }
        if
        :: lines = 1
        :: lines = 2
        fi;
        /* ring_place() */
        d_step {
            lines_of[n] = lines;
            if
            :: place(w_head) + lines <= PLACES -> start = w_head
            :: else -> start = w_head + PLACES - place(w_head)
            fi
        }
        /*
         * The tail moves: to make room, which ring_has_room() says, with one line for the next
         * number; in `wait` past what all have acknowledged (an acquire load), as far as it likes.
         */
        do
        :: start + lines + NEXT - w_tail <= PLACES -> break
#ifdef WAIT
        :: start + lines + NEXT - w_tail > PLACES && group_number > 0 -> ring_show()
        :: group_number == 0 && oldest < n && acknowledged[0] >= oldest &&
           acknowledged[READERS - 1] >= oldest ->
#else
        :: else ->
#endif
            /* ring_drop_oldest(); behind the record there may be a wrap marker */
            d_step {
                w_tail = begins[oldest] + lines_of[oldest];
                oldest++
            }
        od;
#ifdef BUG_SKIP
        if
        :: oldest < n -> w_tail = begins[oldest]
        :: else
        fi;
#endif
        /* ring_reserve(), W1 */
        store(TAIL, w_tail, OLD, true);
#ifndef BUG_W1
        fence();
#endif
        if
        :: start != w_head ->
            store(NUMBER_AT(place(start)), 0, OLD, false);
            store(NUMBER_AT(place(w_head)), WRAP, OLD, true);
            w_head = start
        :: else
        fi;
        /* memcpy() of a second line: it may look like a number there */
        if
        :: lines == 2 ->
            store(NUMBER_AT(place(start + 1)), ANY, OLD, false);
            store(BODY_AT(place(start + 1)), ANY, n, false)
        :: else
        fi;
        /* ring_add(), W2 */
#ifndef BUG_W2
        store(NUMBER_AT(place(start + lines)), 0, OLD, false);
#endif
        /* W3: the length, and the bytes of the first line */
        store(BODY_AT(place(start)), lines, n, false);
        if
        :: group_number == 0 -> d_step { group = start; group_number = n }
#ifdef GROUPS
        :: group_number > 0 -> store(NUMBER_AT(place(start)), n, OLD, false)
#endif
        fi;
#ifdef GROUPS
        if
        :: n == RECORDS -> ring_show()
        :: n < RECORDS -> ring_show()
        :: n < RECORDS /* this one is to be shown with the next */
        fi;
#else
        ring_show();
#endif
        d_step {
            begins[n] = start;
            w_head = start + lines;
            n++
        }
    od
}

/* --- a reader --- */

/* Loads the word where a number may stand. ANY is every number that could harm, and two that are
 * none. */
inline load_number(position, ret)
{
    atomic {
        ret = number[place(position)];
        if
        :: ret == ANY ->
            if
            :: ret = 0
            :: ret = WRAP
            :: ret = expected
            :: ret = expected + 1
            fi
        :: else
        fi
    }
}

/* Could a load there find anything that it has not found yet? */
#define NEWS(position, expected) \
    (number[place(position)] == expected || number[place(position)] == WRAP || \
     number[place(position)] == ANY || tail > position)

inline load_length(position, ret)
{
    atomic {
        ret = body[place(position)];
        if
        :: ret == ANY ->
            if
            :: ret = 1
            :: ret = 2
            fi
        :: else
        fi
    }
}

proctype reader(byte me)
{
    byte position;     /* ring_position() */
    byte expected = 1; /* ring_reader.number */
    byte got, lost;
    byte found, length, seen_tail, first_owner, second_owner, at;

    do
    :: expected > RECORDS -> break
    :: else ->
look:
        /* ring_look(), R1 */
        NEWS(position, expected);
        load_number(position, found);
        if
        :: found == WRAP ->
            if
            :: tail > position -> goto overtaken
            :: else
            fi;
            position = position + PLACES - place(position);
            load_number(position, found)
        :: else
        fi;
        if
        :: found != expected ->
            if
            :: tail > position -> goto overtaken
            :: else -> goto look
            fi
        :: else
        fi;
#ifdef BUG_R3_FENCE
        seen_tail = tail;
#endif
        /* R2: length and bytes */
        load_length(position, length);
        first_owner = owner[place(position)];
        if
        :: length == 2 -> second_owner = owner[place(position + 1)]
        :: else -> second_owner = first_owner
        fi;
#ifdef WAIT
        /* In place: nobody has written to it until it is acknowledged. */
        assert(owner[place(position)] == first_owner);
#else
        /* R3 */
#ifndef BUG_R3
#ifndef BUG_R3_FENCE
        seen_tail = tail;
#endif
        if
        :: seen_tail > position -> goto overtaken
        :: else
        fi;
#endif
#endif
        /* It is returned. */
        d_step {
            assert(first_owner == expected && second_owner == expected);
            assert(length == lines_of[expected]);
            got++;
            assert(got + lost == expected);
            /* ring_advance() */
            position = position + length;
            expected++;
            length = 0;
            first_owner = 0;
            second_owner = 0;
            seen_tail = 0;
            found = 0
        }
#ifdef WAIT
        /* shmd_acknowledge(): release */
        acknowledged[me] = expected - 1;
#endif
        goto next;
overtaken:
#ifdef WAIT
        assert(false);
#endif
        /* catch_up(), ring_seek_oldest(): acquire loads, in this order */
        seen_tail = tail;
        at = seen_tail;
        load_number(at, found);
        if
        :: found == WRAP ->
            at = at + PLACES - place(at);
            load_number(at, found)
        :: else
        fi;
        if
#ifdef BUG_SEEK
        :: tail > at -> goto overtaken
#else
        :: tail > seen_tail -> goto overtaken
#endif
        :: else
        fi;
        d_step {
            /* It is a record, a later one, and not one that was never published. */
            assert(found > expected && found <= RECORDS);
            lost = lost + found - expected;
            expected = found;
            position = at;
            at = 0;
            seen_tail = 0;
            found = 0;
            length = 0;
            first_owner = 0;
            second_owner = 0
        };
next:
        skip
    od
}

init
{
    byte i;

    /* ring_format() in a segment where anything may have lain */
    atomic {
        do
        :: i < PLACES ->
            number[i] = ANY;
            body[i] = ANY;
            i++
        :: else -> break
        od;
        number[0] = 0;
        run buffer();
        run writer();
        i = 0;
        do
        :: i < READERS ->
            run reader(i);
            i++
        :: else -> break
        od
    }
}
