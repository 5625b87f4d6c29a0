#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* From a configuration to the facts: IMDS, then EC2 and Auto Scaling. Owns the session with AWS. */

#include "aws/call.h"
#include "eni/explain.h"
#include "eni/observe.h"
#include "input/config.h"
#include "input/metadata.h"
#include <systemd/sd-event.h>

typedef struct Gather Gather;

typedef enum GatherEvent {
    GATHER_EVENT_METADATA, /* gather_metadata() and gather_aws() are there */
    GATHER_EVENT_OBSERVED, /* gather_observation() is there: the end */
    GATHER_EVENT_FAILED,   /* gather_error() says why: the end */
} GatherEvent;

typedef void (*GatherHandler)(Gather *gather, GatherEvent event, void *userdata);

/**
 * gather_start() - ask for the facts
 * @config: must outlive the object
 * @deadline: CLOCK_MONOTONIC
 * @handler: called from the loop; the object may not be freed inside it
 *
 * Return: 0, -ENOMEM, -EIO when libcurl cannot be initialised, or an errno of sd-event.
 */
int gather_start(Gather **ret, sd_event *event, const Config *config, usec_t deadline, GatherHandler handler,
                 void *userdata);
Gather *gather_free(Gather *gather);

/**
 * gather_for_boot() - what is gathered will be carried out; to be said in METADATA
 * @fresh: no run on this instance has made anything yet, which saves a call
 *
 * Lists for the choice of addresses are then gathered too.
 */
void gather_for_boot(Gather *gather, bool fresh);

/** gather_aws() - the session for further calls; NULL before METADATA */
Aws *gather_aws(const Gather *gather);

/** gather_role() - name of the instance's role; NULL as long as no credentials were asked for */
const char *gather_role(const Gather *gather);

/** gather_metadata() - NULL before METADATA */
const Metadata *gather_metadata(const Gather *gather);

/** gather_observation() - NULL before OBSERVED; its leftovers may be taken out */
Observation *gather_observation(const Gather *gather);

/** gather_group() - the instance's group, also when gathering failed; NULL: none, not known, or OBSERVED */
const char *gather_group(const Gather *gather);

/** gather_describe() - append what is awaited at the moment: "instance metadata", "EC2 (DescribeSubnets)" */
void gather_describe(const Gather *gather, Buf *text);

/** gather_error() - one or two sentences; NULL unless FAILED */
const char *gather_error(const Gather *gather);

/** gather_message_id() - MESSAGE_ID of the failure; NULL when it has none of its own */
const char *gather_message_id(const Gather *gather);

/** gather_failed_call() - the call that it failed with, for an entry's fields; empty when there was none */
const CallFields *gather_failed_call(const Gather *gather);

DEFINE_CLEANUP(Gather, gather_free)
