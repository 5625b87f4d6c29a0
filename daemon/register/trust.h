#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* How long EC2's word on an address is repeated without asking it again. Pure: the time is an argument. */

#include "util/macro.h"
#include "util/time.h"

#define TRUST_REPEAT  (100 * USEC_PER_MSEC) /* less than what EC2 takes to assign an address elsewhere */
#define TRUST_MAX     (5 * USEC_PER_SEC)    /* whoever asks how often */
#define TRUST_REFRESH (3 * USEC_PER_SEC)    /* so old, it is renewed where somebody asks without pause */
#define TRUST_LOOKS   10u                   /* so many looks at an interface in a row */
#define TRUST_EVERY   (3 * USEC_PER_SEC)    /* and in the long run one each time this has passed */

/* The looks at one interface; starts as zero. */
typedef struct Trust {
    usec_t spent; /* CLOCK_MONOTONIC: when all looks will have been earned again */
} Trust;

/** trust_may_look() - whether the interface can be looked at for the sake of who asks; CLOCK_MONOTONIC */
bool trust_may_look(const Trust *trust, usec_t now);

/** trust_looked() - it is looked at, whatever for */
void trust_looked(Trust *trust, usec_t now);

/**
 * trust_holds() - whether EC2's word is good enough for who asks now
 * @confirmed: when EC2 said so, @asked: when somebody asked last; 0: never
 */
bool trust_holds(const Trust *trust, usec_t confirmed, usec_t asked, usec_t now);

/** trust_ages() - whether a word that holds should be renewed, so that the next to ask need not wait */
bool trust_ages(const Trust *trust, usec_t confirmed, usec_t now);
