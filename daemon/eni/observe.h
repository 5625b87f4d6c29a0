#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What EC2 and Auto Scaling know of this node, asked for in two rounds. */

#include "aws/call.h"
#include "eni/lists.h"
#include "plan/model.h"
#include "util/buf.h"

typedef struct Observe Observe;

/* Owns everything that facts points to, but configuration and metadata. */
typedef struct Observation {
    Facts facts;
    AwsRecords instances;
    AwsRecords subnets;
    AwsRecords instance_types;
    AwsRecords groups;
    AwsRecords enis;      /* that carry this instance's id, wherever they are: facts.enis */
    AwsRecords leftovers; /* available interfaces of the node group that carry another instance's id */
    SubnetLists lists; /* of the subnets in which an address has to be chosen, where these were known early */
    const char *lifecycle_state; /* of this instance in its group, or NULL */
} Observation;

/* Borrowed; config and metadata must outlive the observation. */
typedef struct ObserveArgs {
    Aws *aws;
    const Config *config;
    const Metadata *metadata;
    usec_t deadline; /* CLOCK_MONOTONIC */
    bool fresh;      /* no earlier run has made an interface for this instance, as far as is known */
    bool lists;      /* addresses will be chosen: see Observation.lists */
} ObserveArgs;

/* error NULL: observation_take is the callee's. Else what says what could not be found out. */
typedef void (*ObserveHandler)(Observation *observation_take, const AwsError *error, const char *what,
                               void *userdata);

/**
 * observe() - ask for instance, subnets and limits at once, then for group and interfaces at once
 *
 * An instance that EC2 does not know (yet) is an error with code InvalidInstanceID.NotFound.
 *
 * Return: 0, -ENOMEM. The handler is called once from the loop unless the object is freed before.
 */
int observe(const ObserveArgs *args, ObserveHandler handler, void *userdata, Observe **ret);
Observe *observe_free(Observe *observe);

/** observe_group() - the instance's Auto Scaling group, also after an error; NULL: none, or not known yet */
const char *observe_group(const Observe *observe);

/** observe_describe() - append what is awaited at the moment, such as "EC2 (the subnets of the VPC)" */
void observe_describe(const Observe *observe, Buf *text);

Observation *observation_free(Observation *observation);

DEFINE_CLEANUP(Observe, observe_free)
DEFINE_CLEANUP(Observation, observation_free)
