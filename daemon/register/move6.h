#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* IPv6 addresses that another interface has, brought here. */

#include "aws/call.h"
#include "util/macro.h"

typedef struct Move6 Move6;

#define MOVE6_MAX 100u /* addresses at once; a filter of EC2 takes 200 values */

typedef enum Move6Outcome {
    MOVE6_FREE,     /* nobody has it any more: assign it */
    MOVE6_OURS,     /* it is on our interface already */
    MOVE6_MOVED,    /* now it is */
    MOVE6_UNTOLD,   /* nobody knows: look at our interface */
    MOVE6_LATER,    /* yet another interface has it: move it next */
    MOVE6_OTHERS,   /* it is on an instance's first interface, and so the host's own or the VPC CNI's */
    MOVE6_REFUSED,  /* see error; the holder has it as before */
    MOVE6_STRANDED, /* see error; rolling back failed as well: it is nobody's */
} Move6Outcome;

typedef struct Move6Result {
    const Move6Outcome *outcomes; /* one for each address, in the same order */
    const char *holder;           /* who had those that were moved or refused; NULL: nobody */
    const AwsError *error;        /* with MOVE6_REFUSED and MOVE6_STRANDED: the last one */
} Move6Result;

/* Called once, from the loop; the result is valid during the call, also when the move is freed there. */
typedef void (*Move6Handler)(const Move6Result *result, void *userdata);

/*
 * Called before addresses are taken from their holder: those with MOVE6_REFUSED. From here until the handler
 * they may be nobody's.
 */
typedef void (*Move6Taking)(const char *holder, const Move6Outcome *outcomes, void *userdata);

/**
 * move6_new() - begin to move
 * @network_interface_id: ours; copied
 * @addresses: copied; at most MOVE6_MAX
 * @taking: called once or not at all
 *
 * Return: 0 or -ENOMEM.
 */
int move6_new(Move6 **ret, Aws *aws, const char *network_interface_id, const InAddr *addresses, size_t n,
              Move6Taking taking, Move6Handler handler, void *userdata);
Move6 *move6_free(Move6 *move);

DEFINE_CLEANUP(Move6, move6_free)
