/* SPDX-License-Identifier: MIT */
#include "client/acknowledgement.h"

static bool optional_number(const struct claim *claim, enum claim_field field, uint64_t *ret)
{
    return !claim_has(claim, field) || claim_number(claim, field, ret);
}

static bool numbers_read(const struct claim *claim, struct acknowledgement *ack)
{
    return claim_number(claim, CLAIM_SEQUENCE, &ack->sequence) && ack->sequence > 0 &&
           claim_number(claim, CLAIM_FIRST, &ack->first) && ack->first > 0 &&
           claim_number(claim, CLAIM_LAST, &ack->last) && ack->first <= ack->last &&
           claim_number(claim, CLAIM_RECORDS, &ack->records) &&
           optional_number(claim, CLAIM_LOST, &ack->lost) &&
           claim_number(claim, CLAIM_BYTES, &ack->bytes);
}

static bool client_read(const struct claim *claim, struct acknowledgement *ack)
{
    if (claim_is(claim, CLAIM_VERIFIED, "no")) {
        ack->who = WHO_ANONYMOUS;
        ack->user = "";
        return true;
    }
    if (!claim_is(claim, CLAIM_VERIFIED, "yes") ||
        !optional_number(claim, CLAIM_SESSION, &ack->session)) {
        return false;
    }
    ack->who = claim_has(claim, CLAIM_CLIENT_UID) ? WHO_USER : WHO_SEVERAL;
    ack->user = claim->values[CLAIM_CLIENT_USER];
    ack->has_session = claim_has(claim, CLAIM_SESSION);
    return optional_number(claim, CLAIM_CLIENT_UID, &ack->uid) && ack->uid <= UINT32_MAX &&
           (!ack->has_session || ack->who == WHO_USER);
}

bool acknowledgement_read(const struct claim *claim, struct acknowledgement *ret)
{
    struct acknowledgement ack = {0};
    uint64_t range;

    if (!numbers_read(claim, &ack) || !client_read(claim, &ack)) {
        return false;
    }
    range = ack.last - ack.first + 1;
    if (ack.has_session && (ack.lost > range || ack.records != range - ack.lost)) {
        return false;
    }
    if (ack.who == WHO_ANONYMOUS && ack.records == 1 && range != 1) {
        return false;
    }
    *ret = ack;
    return true;
}
