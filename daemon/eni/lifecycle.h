#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The launching lifecycle hook of the Auto Scaling group: kept waiting, then answered. */

#include "aws/call.h"
#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Lifecycle Lifecycle;

typedef enum LifecycleResult {
    LIFECYCLE_CONTINUE,
    LIFECYCLE_ABANDON,
} LifecycleResult;

/* Borrowed; must outlive the object. */
typedef struct LifecycleArgs {
    Aws *aws;
    sd_event *event;
    const char *group;
    const char *instance_id;
    const char *hook; /* "auto" or a name */
    bool waiting;     /* the instance is known to be in Pending:Wait */
    bool again;       /* it has waited for an earlier try: the first heartbeat is due at once */
} LifecycleArgs;

/* Told once, when the hook has been answered, or could not be (logged). */
typedef void (*LifecycleHandler)(void *userdata);

/**
 * lifecycle_start() - the instance waits in Pending:Wait: find the hook and send heartbeats
 *
 * With "auto" the group must have exactly one launching hook; with none nothing is done, with
 * several it is said which name to configure.
 */
int lifecycle_start(Lifecycle **ret, const LifecycleArgs *args, LifecycleHandler handler, void *userdata);
Lifecycle *lifecycle_free(Lifecycle *lifecycle);

/** lifecycle_complete() - answer the hook, once it is known */
void lifecycle_complete(Lifecycle *lifecycle, LifecycleResult result);

/** lifecycle_is_done() - nothing is under way any more */
bool lifecycle_is_done(const Lifecycle *lifecycle);

DEFINE_CLEANUP(Lifecycle, lifecycle_free)
