#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Which device indexes of which network card are taken. */

#include "util/macro.h"

#define DEVICE_INDEX_MAX 64
#define NETWORK_CARD_MAX 64

typedef struct DeviceIndexes {
    uint64_t taken[NETWORK_CARD_MAX];
} DeviceIndexes;

/** device_indexes_take() - note one as taken; beyond the limits is passed over */
static inline void device_indexes_take(DeviceIndexes *indexes, unsigned card, unsigned index)
{
    if (card < NETWORK_CARD_MAX && index < DEVICE_INDEX_MAX)
        indexes->taken[card] |= UINT64_C(1) << index;
}

/**
 * device_indexes_next() - take the lowest free one, never 0: see plan/diff.c
 *
 * Return: 0, or -1 when none is left.
 */
static inline int device_indexes_next(DeviceIndexes *indexes, unsigned card, unsigned *ret)
{
    if (card >= NETWORK_CARD_MAX)
        return -1;
    for (unsigned i = 1; i < DEVICE_INDEX_MAX; i++)
        if (!(indexes->taken[card] & UINT64_C(1) << i)) {
            device_indexes_take(indexes, card, i);
            *ret = i;
            return 0;
        }
    return -1;
}
