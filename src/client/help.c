/* SPDX-License-Identifier: MIT
 *
 * What --help says: all of it, or what is about one verb.
 */
#include "client/options.h"

#include <stdio.h>

#define ON(verb) (1u << VERB_##verb)
#define SESSION  (ON(READ) | ON(FOLLOW))
#define READING  (SESSION | ON(PEEK))
#define SEGMENT  (READING | ON(PUBLISH) | ON(STATUS))
#define ALL      (SEGMENT | ON(AUDIT))

static const struct {
    unsigned verbs; /* that it is about */
    const char *text;
} pieces[] = {
    {0, "Verbs:\n"},
    {ON(READ), "  read    print the next record and acknowledge it; what happens without a verb\n"},
    {ON(FOLLOW), "  follow  print and acknowledge all records as they come\n"},
    {ON(PEEK), "  peek    print the next record and leave it for others\n"},
    {ON(PUBLISH), "  publish publish standard input, or FILE; ends when all is confirmed\n"},
    {ON(STATUS),
     "  status  show how the daemon is, or what can be seen of the segment by its key alone\n"},
    {ON(AUDIT),
     "  audit   prove from the journal that no entry about an acknowledgement is missing\n"},
    {0, "  help    print this, or what is about the verb that follows\n"},
    {ALL, "\nWhere to read:\n"},
    {READING | ON(STATUS), "  -k, --key KEY          the segment's key, decimal or 0x...\n"},
    {SEGMENT, "  -c, --config FILE      take the key from this configuration file\n"},
    {ALL, "  -i, --instance NAME    the socket and the configuration of shmd@NAME;\n"
          "                         audit: only its entries\n"},
    {SEGMENT & ~ON(PEEK),
     "  -s, --socket PATH      the daemon's socket; not for peek (default /run/shmd/shmd.sock)\n"},
    {READING,
     "\nHow to read (read, follow, peek):\n"
     "  -n, --count N          end after N records (default 1; follow: no end)\n"
     "  -t, --timeout SECONDS  wait so long for each record, 0 for not at all; decimals are fine\n"
     "                         (default 5; follow: no end)\n"
     "      --from WHERE       begin with the oldest record that is held, or with the next one:\n"
     "                         oldest or next (default oldest, but the newest of a ring that\n"
     "                         overwrites)\n"},
    {SESSION, "      --name NAME        read, follow: what to be called in the journal (default "
              "shm-client)\n"
              "      --anonymous        read, follow: use no session, only the key\n"
              "      --no-ack           read, follow: do not acknowledge, as peek\n"},
    {ON(PUBLISH),
     "\nHow to publish:\n"
     "      --framing HOW      what a record is: a line, what the 32-bit length before it says, "
     "or\n"
     "                         the whole input: line, length or whole (default line)\n"
     "  -t, --timeout SECONDS  give up when nothing was confirmed for so long (default: no end)\n"
     "      --name NAME        what to be called in the journal (default shm-client)\n"},
    {ON(AUDIT),
     "\nWhat to audit:\n"
     "      --since WHEN       from then on: \"2026-11-23 14:05\", @SECONDS, today, -2h, ...\n"
     "      --until WHEN       up to then\n"
     "      --directory DIR    the journal files in DIR\n"
     "      --user USER        as whom the daemon runs (default shmd, or root if there is none)\n"},
    {ALL, "\n"},
    {ALL & ~ON(PUBLISH),
     "  -o, --output FORMAT    text (default), json, hex or raw; status, audit: text or json\n"},
    {ON(STATUS) | ON(AUDIT), "      --json             status, audit: the same as --output json\n"},
    {ON(STATUS), "      --watch            status: again every second\n"},
    {ALL, "  -h, --help             print this and exit; behind a verb, what is about it\n"
          "  -V, --version          print the version and exit\n"},
    {READING,
     "\nread and follow have a session with the daemon if its socket is there. Otherwise, and for "
     "peek,\n"
     "the key counts: that of --key, of the configuration, or 5678 if there is none.\n"},
    {ALL,
     "\nExit status: 0 done, 1 failed or (audit) not whole, 2 wrong usage, 3 no such segment or "
     "nobody\n"
     "serves it, 4 timed out, 5 evicted or records lost, 6 (audit) whole, with foreign entries.\n"},
};

void help_write(const struct options *options)
{
    const char *verb = options->help_verb;
    unsigned about = verb ? 1u << options->help_about : ~0u;

    if (verb) {
        (void)printf("Usage: shm-client %s [OPTION]...%s\n", verb,
                     about == ON(PUBLISH) ? " [FILE]" : "");
    } else {
        (void)fputs(
            "Usage: shm-client [VERB] [OPTION]...\n"
            "       shm-client publish [OPTION]... [FILE]\n"
            "Reads records from the shared-memory segment that shmd(8) serves, and publishes "
            "some.\n\n",
            stdout);
    }
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (!verb || (pieces[i].verbs & about)) {
            (void)fputs(pieces[i].text, stdout);
        }
    }
}
