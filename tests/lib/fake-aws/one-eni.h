#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What every test of one interface's life begins with; what its handler was told is kept as words. */

#include "eni/eni.h"
#include "lib/fake-aws/cloud.h"
#include "util/buf.h"

#define CREATE  "CreateNetworkInterface"
#define ATTACH  "AttachNetworkInterface"
#define MODIFY  "ModifyNetworkInterfaceAttribute"
#define LOOK    "DescribeNetworkInterfaces"
#define DETACH  "DetachNetworkInterface"
#define DELETE  "DeleteNetworkInterface"
#define NO_ENI  "InvalidNetworkInterfaceID.NotFound"
#define IN_USE  "InvalidParameterValue"
#define IN_USE_ "Instance 'i-1' already has an interface attached at device index '1'."

typedef struct Fixture {
    Cloud cloud;
    Allocator *allocator;
    Intents *intents;
    DeviceIndexes indexes;
    EniContext context;
    DesiredEni desired;
    Ec2NetworkInterface observed; /* with an id: adopted */
    EniPlan plan;
    Eni *eni;
    Buf told;
    int give_up_at; /* an EniEventType, inside whose handler it is given up; -1: none */
    size_t n_attach_at_created;
} Fixture;

/** one_eni_setup() - an interface "oam" that is yet to be made; not started */
int one_eni_setup(void **state);

/** one_eni_teardown() - the end */
int one_eni_teardown(void **state);

/** adopt() - it was there before: attached at that index when it is above 0 */
void adopt(Fixture *fixture, unsigned index, unsigned steps);

/** start() - make the object and start it */
void start(Fixture *fixture);

/** restart() - likewise, after the one before was freed */
void restart(Fixture *fixture);

/** start_created() - up to the reply of Create */
void start_created(Fixture *fixture);

/** start_attached() - up to the reply of Attach */
void start_attached(Fixture *fixture);

/** start_ready() - up to ready */
void start_ready(Fixture *fixture);

/** answer_look() - the answer to a look: eni_id at that instance and index, or nothing with eni_id NULL */
void answer_look(Fixture *fixture, const char *eni_id, const char *instance, unsigned index,
                 const char *status);

/** answer_look_for() - the answer to a look for this one alone */
void answer_look_for(Fixture *fixture, const char *eni_id, const char *instance);

/** assert_told() - the events so far, as words */
void assert_told(const Fixture *fixture, const char *expected);

/** assert_state() - where it is */
void assert_state(const Fixture *fixture, EniState state);

/** assert_error_has() - what is part of the reason it failed for */
void assert_error_has(const Fixture *fixture, const char *part);
