#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What this node is about to create, written down before it asks EC2. */

#include "plan/allocate.h"
#include "util/macro.h"
#include "util/time.h"

typedef struct Intents Intents;

/**
 * intents_load() - read the journal of this instance
 * @path: its file; absent, unreadable or another instance's (an image baked on a running node) is an empty
 * one
 *
 * Return: 0 or -ENOMEM.
 */
int intents_load(Intents **ret, const char *path, const char *instance_id);
Intents *intents_free(Intents *intents);

/** intents_are_first() - no journal of this instance was there: nothing was created for it before */
bool intents_are_first(const Intents *intents);

/**
 * intents_get() - the creation time that tags the network's interface and enters its ClientToken
 * @now: CLOCK_REALTIME, taken when there is no intent yet, or one too old to be under way still
 * @ret: valid until the intent is dropped
 *
 * A new intent is in memory only until intents_commit().
 *
 * Return: 0 or -ENOMEM.
 */
int intents_get(Intents *intents, const char *network, usec_t now, const char **ret);

/**
 * intents_set_addresses() - what the network's next Create asks for; to be committed before it
 * @addresses: ALLOCATION_NULL: nothing, those were refused
 *
 * Return: 0 or -ENOMEM.
 */
int intents_set_addresses(Intents *intents, const char *network, const Allocation *addresses);

/** intents_addresses() - what a Create of the intent has asked for, maybe in an earlier run; false: nothing
 */
bool intents_addresses(const Intents *intents, const char *network, Allocation *ret);

/** intents_drop() - the interface is gone: the next creation is another one; to be committed too */
void intents_drop(Intents *intents, const char *network);

/**
 * intents_forget() - the interface that was created at that time is about to be deleted
 *
 * Drops the intent if it is that one; a later intent for the same network stays.
 */
void intents_forget(Intents *intents, const char *network, const char *created);

/** intents_commit() - put what changed on disk; 0, or the errno of the step that failed */
int intents_commit(Intents *intents);

DEFINE_CLEANUP(Intents, intents_free)
