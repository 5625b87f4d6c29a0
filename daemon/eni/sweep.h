#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Deletes the interfaces that vanished instances of this node group left behind. */

#include "aws/call.h"
#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Sweep Sweep;

/* Told once, when the sweep is over; what failed has been logged. */
typedef void (*SweepHandler)(void *userdata);

/**
 * sweep_start() - look after the instances that the interfaces name, and delete what has lost its own
 * @leftovers_take: available interfaces of the node group, each with TAG_INSTANCE_ID; emptied
 * @now: CLOCK_REALTIME; interfaces younger than ten minutes are left alone
 *
 * An interface is deleted only when EC2 does not know its instance any more or calls it terminated.
 *
 * Return: 0; 1 (SWEEP_E_NOTHING) when there is nothing to do, without an object; -ENOMEM.
 */
#define SWEEP_E_NOTHING 1
int sweep_start(Sweep **ret, Aws *aws, sd_event *event, AwsRecords *leftovers_take, usec_t now,
                SweepHandler handler, void *userdata);
Sweep *sweep_free(Sweep *sweep);

DEFINE_CLEANUP(Sweep, sweep_free)
