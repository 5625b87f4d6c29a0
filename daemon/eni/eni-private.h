#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The inside of an interface, for the files that make it up: its life (eni.c), its attachment (eni-attach.c).
 */

#include "eni/eni.h"
#include "eni/removal.h"

#define CREATE_MAX      3   /* interfaces made for one network in one run */
#define REFUSED_MAX     100 /* addresses asked for, for one network in one run, that others had */
#define N_MODIFICATIONS 3
#define REMOVAL_TIME    (60 * USEC_PER_SEC)

typedef enum LookReason {
    LOOK_LOST_REPLY, /* of Attach */
    LOOK_INDEX_IN_USE,
    LOOK_ENI_IN_USE,
    LOOK_DEVICE, /* the kernel has no device */
} LookReason;

/* One attribute on its way. */
typedef struct EniModification {
    Eni *eni;
    StepFlags step;
    AwsCall *call;
} EniModification;

struct Eni {
    const EniContext *context;
    const DesiredEni *desired;
    EniState state;
    unsigned steps; /* StepFlags still to be done */
    unsigned device_index;
    bool adopted;
    bool attached_here; /* in this run: may be taken away again on failure */
    bool exists;        /* record is valid */
    bool seen;          /* by EC2's every part: eventual consistency is over */
    bool maybe_created; /* Create was sent, and nobody knows what became of it */
    Ec2NetworkInterface record;
    unsigned n_created;
    unsigned n_refused; /* addresses that others had */
    unsigned n_looks;
    LookReason look_reason;
    Allocation allocation;
    AllocatorRequest *allocator_request;
    AwsCall *call;
    EniModification modifications[N_MODIFICATIONS];
    unsigned n_modifying;
    sd_event_source *timer;
    Removal *removal; /* of the interface, when it failed */
    Removal *surplus; /* of one that was made though another was there already */
    char *last_try;   /* of an Attach whose outcome had to be looked for; or NULL */
    char *error;
    CallFields failed_call;
};

/** eni_set_state() - the only writer of the state; an edge that is not in the table is a programming error */
void eni_set_state(Eni *eni, EniState state);

/** eni_emit() - tell the handler, which may give the interface up: look at the state afterwards */
void eni_emit(Eni *eni, EniEventType event);

/** eni_cancel() - stop whatever is under way */
void eni_cancel(Eni *eni);

/** eni_forget_intent() - its ClientToken would name an interface that is no more */
void eni_forget_intent(Eni *eni);

/** eni_fail_text(), eni_fail_errno(), eni_fail_call() - end badly; what was made is taken away again */
void eni_fail_text(Eni *eni, const char *format, ...) _printf_(2, 3);
void eni_fail_errno(Eni *eni, int r);
void eni_fail_call(Eni *eni, const AwsError *error, const char *format, ...) _printf_(3, 4);

/** eni_create() - make the interface, after an address was found where one has to be named */
void eni_create(Eni *eni);

/** eni_check_modified() - ready, when nothing is under way any more */
void eni_check_modified(Eni *eni);

/** eni_attach() - attach what exists at eni->device_index; modifying follows */
void eni_attach(Eni *eni);

/** eni_modify() - set the attributes that eni->steps names; ready follows */
void eni_modify(Eni *eni);

/** eni_look_for() - ask EC2 where the interface is, and go on with what it says */
void eni_look_for(Eni *eni, LookReason reason);
