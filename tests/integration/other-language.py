# SPDX-License-Identifier: MIT
"""A client in another language, written from shmd-protocol(7) and from nothing else.

    other-language.py subscribe SOCKET COUNT [START [PAUSE-SECONDS [FILE]]]
    other-language.py follow KEY COUNT
    other-language.py status SOCKET

It ends after COUNT records, or when there is a FILE. The words in capitals and the names R1, W1, S1,
... are those of the manual page. With NO_FENCE=1 in the environment, it does without the full fence,
as the manual says how.
"""
import ctypes
import json
import os
import select
import socket
import struct
import sys
import time

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"  # what the daemon's source says, over and over
WRAP = 2**64 - 1
PAUSE = 0.001
ACTIVE, EVICTED = 0, 1

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
libc.shmdt.argtypes = (ctypes.c_void_p,)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t) + 3 * (ctypes.c_int,) + (ctypes.c_long,)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
SHM_RDONLY = 0o10000
IPC_STAT = 2


def full_fence():
    """atomic_thread_fence(memory_order_seq_cst); None where there is none."""
    if os.environ.get("NO_FENCE"):
        return None
    try:
        return ctypes.CDLL("libatomic.so.1").atomic_thread_fence
    except OSError:
        return None


FENCE = full_fence()


def u32(address):
    return ctypes.c_uint32.from_address(address).value


def u64(address):
    return ctypes.c_uint64.from_address(address).value


def store32(address, value):
    ctypes.c_uint32.from_address(address).value = value


def store64(address, value):
    ctypes.c_uint64.from_address(address).value = value


def check(result):
    if result in (-1, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Ring:
    """Reads the ring layout: R1 to R3."""

    def __init__(self, segment, size):
        while u64(segment) != 0x676E6972646D6873:
            time.sleep(PAUSE)
        self.segment = segment
        self.capacity = u64(segment + 16)
        if u32(segment + 8) != 1 or self.capacity != (size - 256) // 256 * 256 or size < 4096:
            raise SystemExit("not a ring of version 1")
        self.position, self.number, self.lost = 0, None, 0

    def tail(self):
        return u64(self.segment + 128)

    def at(self, position):
        return self.segment + 256 + position % self.capacity

    def next_lap(self, position):
        return position - position % self.capacity + self.capacity

    def find_oldest(self):
        """Overtaken: goes to the oldest record; False if none stands there yet."""
        while True:
            tail = position = self.tail()
            number = u64(self.at(position))
            if number == WRAP:
                if self.tail() > tail:
                    continue
                position = self.next_lap(tail)
                number = u64(self.at(position))
            if self.tail() > position:
                continue
            if number == 0:
                return False
            if self.number is not None:
                self.lost += number - self.number
            self.position, self.number = position, number
            return True

    def next(self):
        """The next record, or None."""
        if self.number is None and not self.find_oldest():
            return None
        while True:
            number = u64(self.at(self.position))
            if number == self.number:
                length = u32(self.at(self.position) + 8)
                left = self.capacity - self.position % self.capacity
                if length <= self.capacity // 4 - 16 and 16 + length <= left:
                    record = ctypes.string_at(self.at(self.position) + 16, length)
                    if self.tail() <= self.position:
                        self.position += (16 + length + 63) // 64 * 64
                        self.number += 1
                        return record
            elif self.tail() <= self.position:
                if number != WRAP:
                    return None
                self.position = self.next_lap(self.position)
                continue
            if not self.find_oldest():
                return None


class Gone(Exception):
    """The session has ended; the argument is its state."""


class Session:
    def __init__(self, path, start, epoch=bytes(16), after=0, lost=0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)
        hello = struct.pack("=II16sQQII32s", 1, start, epoch, after, lost, 1, 0, b"python")
        self.socket.send(struct.pack("=IHHII", 0x646D6873, 1, 1, 96, 0) + hello)
        answer, fds, _, _ = socket.recv_fds(self.socket, 256, 3)
        if len(answer) < 16:
            raise ConnectionResetError("no answer")
        kind = struct.unpack_from("=IHHII", answer)[2]
        if kind == 3:
            raise SystemExit("refused: " + answer[20:128].rstrip(b"\0").decode())
        fields = struct.unpack_from("=IIIiQ16sQQQII", answer, 16)
        self.layout, self.when_full, self.key, self.segment_id, self.size = fields[:5]
        self.epoch, self.first, position, self.lease = fields[5:9]
        self.page = check(libc.mmap(None, 4096, 3, 1, fds[0], 0))
        os.close(fds[0])
        self.doorbell, self.daemon_doorbell = fds[1:]
        self.segment = check(libc.shmat(self.segment_id, None, SHM_RDONLY))
        self.taken = self.first - 1
        self.lost = 0  # up to what was acknowledged
        self.ring = None
        if self.layout == 2:
            self.ring = Ring(self.segment, self.size)
            self.ring.position, self.ring.number = position, self.first
            self.generation = u32(self.segment + 68)

    def close(self):
        self.socket.close()
        os.close(self.doorbell)
        os.close(self.daemon_doorbell)
        libc.munmap(self.page, 4096)
        libc.shmdt(self.segment)

    def state(self):
        return u32(self.page + 16)

    def stands(self):
        """Nothing can be read from the connection, not even its end."""
        try:
            self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            return False
        except BlockingIOError:
            return True

    def look(self):
        """The next record, or None."""
        if self.ring and u32(self.segment + 68) != self.generation:
            self.generation = u32(self.segment + 68)
            if not self.stands():
                raise Gone(self.state())
        record = self.ring.next() if self.ring else self.look_plain()
        if self.state() != ACTIVE:
            raise Gone(self.state())
        if record is not None:
            self.taken = self.ring.number - 1 if self.ring else self.taken
        return record

    def look_plain(self):
        published = u64(self.page)
        if published <= self.taken:
            return None
        length, first = u32(self.page + 8), u32(self.page + 12)
        if not 0 < length < self.size:
            raise SystemExit("a record of %d bytes" % length)
        if length <= 3840:
            record = ctypes.string_at(self.page + 256, length)
        else:
            record = bytes([first]) + ctypes.string_at(self.segment + 1, length - 1)
        if u64(self.page) != published:
            return None
        self.taken = published
        return record

    def acknowledge(self):
        if self.ring and self.when_full == 1:
            self.tell_lost()
        store64(self.page + 128, self.taken)
        if FENCE:
            FENCE(5)
        if not FENCE or u32(self.page + 64):
            try:
                os.write(self.daemon_doorbell, b"\0")
            except OSError:
                pass

    def tell_lost(self):
        standing = u64(self.page + 128)
        pair = self.page + (152 if u64(self.page + 136) == standing else 136)
        store64(pair, 0)
        store64(pair + 8, self.ring.lost)
        store64(pair, self.taken)
        self.lost = self.ring.lost

    def wait(self):
        """Sleeps until there may be news: S1 to S5."""
        bell = select.poll()
        bell.register(self.doorbell, select.POLLIN)
        try:
            while os.read(self.doorbell, 4096):
                pass
            raise Gone(self.state())
        except BlockingIOError:
            pass
        store32(self.page + 192, 1)
        if FENCE:
            FENCE(5)
        if not (self.news() or self.state() != ACTIVE):
            bell.poll(None if FENCE else 5)
        store32(self.page + 192, 0)

    def news(self):
        if not self.ring:
            return u64(self.page) > self.taken
        # A number that is not the expected one: next() knows what it means.
        return u64(self.ring.at(self.ring.position)) != 0


def expect(record):
    if record != (ALPHABET * (len(record) // 26 + 1))[: len(record)]:
        raise SystemExit("torn: %r" % record)


def subscribe(path, count, start=2, pause=0, enough=""):
    session, read, sessions, lost, length = None, 0, 0, 0, 0
    epoch, after, lost_there = bytes(16), 0, 0
    while read < count and not os.path.exists(enough):
        try:
            if not session:
                session = Session(path, start, epoch, after, lost_there)
                sessions += 1
                if session.epoch == epoch:
                    lost += session.first - after - 1
                epoch, after = session.epoch, session.first - 1
                print("session %d: first %d, lease %d us" % (sessions, session.first, session.lease))
                sys.stdout.flush()
            record = session.look()
            if record is None:
                session.wait()
                continue
            expect(record)
            length = len(record)
            time.sleep(pause)
            session.acknowledge()
            after = session.taken
            read += 1
        except Gone as end:
            if end.args[0] == EVICTED:
                print("evicted")
                return
            # What it lost and did not acknowledge, is lost again in the next session.
            lost_there = session.lost
            lost += lost_there
            session.close()
            session = None
        except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
            time.sleep(0.05)
    lost += session.ring.lost if session and session.ring else 0
    print("took %d records of %d bytes, last %d, lost %d" % (read, length, after, lost))


def find(key):
    """Identifier and size of the segment with this key."""
    identifier = check(libc.shmget(key, 0, 0))
    status = ctypes.create_string_buffer(256)  # struct shmid_ds
    check(libc.shmctl(identifier, IPC_STAT, status))
    return identifier, struct.unpack_from("=Q", status, 48)[0]  # after struct ipc_perm


def follow(key, count):
    identifier, size = find(key)
    segment = check(libc.shmat(identifier, None, SHM_RDONLY))
    if u64(segment) == 0x676E6972646D6873:
        ring, read = Ring(segment, size), 0
        while read < count:
            record = ring.next()
            if record is None:
                time.sleep(PAUSE)
                continue
            expect(record)
            read += 1
        print("took %d records, last %d, lost %d" % (read, ring.number - 1, ring.lost))
        return
    libc.shmdt(segment)
    segment = check(libc.shmat(identifier, None, 0))
    for _ in range(count):
        expect(read_plain(segment, size))
        ctypes.c_char.from_address(segment).value = b"*"
    print("took %d records" % count)


def read_plain(segment, size):
    while True:
        first = ctypes.string_at(segment, 1)
        if first not in (b"*", b"\0"):
            copy = first + ctypes.string_at(segment + 1, size - 1)
            length = copy.find(b"\0")
            if length > 0 and ctypes.string_at(segment, length + 1) == copy[: length + 1]:
                return copy[:length]
        time.sleep(PAUSE)


def status(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)
    connection.send(struct.pack("=IHHII", 0x646D6873, 1, 4, 16, 0))
    answer = connection.recv(16 + 163840)
    print(json.dumps(json.loads(answer[16:]), sort_keys=True))


if sys.argv[1] == "subscribe":
    start, pause, enough = sys.argv[4:] + ["2", "0", ""][len(sys.argv) - 4 :]
    subscribe(sys.argv[2], int(sys.argv[3]), int(start), float(pause), enough)
elif sys.argv[1] == "follow":
    follow(int(sys.argv[2]), int(sys.argv[3]))
else:
    status(sys.argv[2])
