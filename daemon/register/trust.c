/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Nobody tells us when another node takes an address. So whoever asks for what is registered already may be
 * one who wants it back, and is to hear what EC2 says now. He may also be one of many who ask all the time,
 * and an account has no room for a call for each of them. In between:
 *
 *   Who asks after a pause is answered by a look at the interface, one for all who ask meanwhile.
 *   Who asks at once after EC2's word, or again and again without pause, is answered by that word: to take
 *   the address away from here takes a call, which is longer than that. Even so no word is repeated for
 *   longer than TRUST_MAX; and it is renewed before, so that nobody waits.
 *   An interface is not looked at more often than TRUST_LOOKS and TRUST_EVERY say. What is beyond that is
 *   answered by a word that is up to TRUST_MAX old.
 *
 * The looks are counted by one time, as in the generic cell rate algorithm (ITU-T I.371). Those for other
 * purposes count too, for they bring the same word; but nobody is in debt for more than TRUST_LOOKS.
 */

#include "register/trust.h"

bool trust_may_look(const Trust *trust, usec_t now)
{
    return trust->spent <= time_add(now, (TRUST_LOOKS - 1) * TRUST_EVERY);
}

void trust_looked(Trust *trust, usec_t now)
{
    trust->spent =
        MIN(time_add(MAX(trust->spent, now), TRUST_EVERY), time_add(now, TRUST_LOOKS * TRUST_EVERY));
}

bool trust_holds(const Trust *trust, usec_t confirmed, usec_t asked, usec_t now)
{
    if (confirmed == 0 || time_add(confirmed, TRUST_MAX) <= now)
        return false;
    return time_add(MAX(confirmed, asked), TRUST_REPEAT) > now || !trust_may_look(trust, now);
}

bool trust_ages(const Trust *trust, usec_t confirmed, usec_t now)
{
    return time_add(confirmed, TRUST_REFRESH) <= now && trust_may_look(trust, now);
}
