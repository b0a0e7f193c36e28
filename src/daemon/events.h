/* SPDX-License-Identifier: MIT
 *
 * Every kind of journal entry: its name (SHMD_EVENT=), its MESSAGE_ID and its priority. Each has an
 * entry in the message catalog that says what happened and what to do; a test holds the two
 * together. An id is made once, with `systemd-id128 new`, and never changes.
 */
#pragma once

#include <sys/syslog.h>

/* clang-format off */
#define EVENTS(EVENT) \
    EVENT(STARTED,               "started",               LOG_NOTICE,  "6ccc03f256ba47c695b02f93189508cf") \
    EVENT(STOPPED,               "stopped",               LOG_NOTICE,  "0df11f68395b40a3b7a977089f7ced59") \
    EVENT(EPOCH_STARTED,         "epoch-started",         LOG_NOTICE,  "0266188551a94c6ebd266e0aeb07e06f") \
    EVENT(SEGMENT_CREATED,       "segment-created",       LOG_INFO,    "00d2673b5704421eb92e2bc918a59f9e") \
    EVENT(SEGMENT_ADOPTED,       "segment-adopted",       LOG_INFO,    "a472bd5a0a5849648e2ad4c28f1cb2b0") \
    EVENT(SEGMENT_REPLACED,      "segment-replaced",      LOG_NOTICE,  "0519426cbd6049c9928a4122c65728e4") \
    EVENT(SEGMENT_REMOVED,       "segment-removed",       LOG_INFO,    "2695d007a8e1488fa27a7b2ea05edb3b") \
    EVENT(SEGMENT_LOST,          "segment-lost",          LOG_WARNING, "6ca59be6b81647c890ac06e68c570b29") \
    EVENT(SEGMENT_FOREIGN,       "segment-foreign",       LOG_ERR,     "57b6ee8129fc44749f8fcde0b339924c") \
    EVENT(SEGMENT_AT_RISK,       "segment-at-risk",       LOG_WARNING, "03ba737ce1574cac8c188af986cc62cc") \
    EVENT(SEGMENT_FAILED,        "segment-failed",        LOG_ERR,     "cc844325401f4784a1e1e1d3ffa3d1e9") \
    EVENT(STATE_LOST,            "state-lost",            LOG_WARNING, "04e0bd8c987f488984d59e0ed47c45d2") \
    EVENT(RECORD_REJECTED,       "record-rejected",       LOG_WARNING, "8971badd6d17436ab040c7433a8657dc") \
    EVENT(SOURCE_FAILED,         "source-failed",         LOG_WARNING, "de737fb92fc344b1af5993a695d5b9f7") \
    EVENT(SOURCE_ENDED,          "source-ended",          LOG_NOTICE,  "ac1adee1c9da4917aa6e673ff7b800fc") \
    EVENT(SOURCE_SAID,           "source-said",           LOG_NOTICE,  "55c392175815484cbdb43f1506bf7a77") \
    EVENT(SCRIBBLED,             "scribbled",             LOG_WARNING, "f1bcc2c31d724b0a998c78d45e09720a") \
    EVENT(ACKNOWLEDGED,          "acknowledged",          LOG_INFO,    "9a5ff1126e2f48418c8885f72837c182") \
    EVENT(SOCKET_TAKEN,          "socket-taken",          LOG_WARNING, "c9190c788a9542efac93a6152deec00a") \
    EVENT(SOCKET_LOST,           "socket-lost",           LOG_WARNING, "711ede201f7e491697774de0b2b4df0a") \
    EVENT(SESSION_STARTED,       "session-started",       LOG_INFO,    "0479565a51e543019f10b292dd0df75f") \
    EVENT(SESSION_ENDED,         "session-ended",         LOG_INFO,    "8027f6bc0cde4db281ca400b54d8800c") \
    EVENT(SESSION_EVICTED,       "session-evicted",       LOG_WARNING, "92f064e8ab6147ce96a0b19dbd670e73") \
    EVENT(SESSION_REFUSED,       "session-refused",       LOG_WARNING, "d65f0ef8f79242589f7f200670ee43d9") \
    EVENT(RECORDS_LOST,          "records-lost",          LOG_WARNING, "d6c4e28433ff4121bab910fe15891b87") \
    EVENT(RECORDS_UNREAD,        "records-unread",        LOG_WARNING, "ecef235a200d45499a0918119c9b4ea4") \
    EVENT(RELOAD_DONE,           "reload-done",           LOG_NOTICE,  "255118c9c9ee4d809648946c05a8d2d3") \
    EVENT(RELOAD_REFUSED,        "reload-refused",        LOG_ERR,     "961d9c0ef1e14f9b86afe189eb5daf3b") \
    EVENT(CONFIGURATION_REFUSED, "configuration-refused", LOG_ERR,     "549f9656fcce41a19cd8b37307c4326e") \
    EVENT(START_FAILED,          "start-failed",          LOG_ERR,     "924a793367544f1e83f9c15f734ceb76") \
    EVENT(GAVE_UP,               "gave-up",               LOG_ERR,     "714ef0767adc42f4948d71bb8030090e") \
    EVENT(ENTRIES_LEFT_OUT,      "entries-left-out",      LOG_WARNING, "ffe105a9cc864f93843f519834627a0f")
/* clang-format on */

enum event {
#define EVENT(name, text, priority, id) EVENT_##name,
    EVENTS(EVENT)
#undef EVENT
        EVENTS_COUNT,
};
