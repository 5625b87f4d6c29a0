#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* One network interface in EC2: from absent to attached and as wanted. */

#include "aws/call.h"
#include "eni/allocator.h"
#include "eni/explain.h"
#include "eni/indexes.h"
#include "eni/intent.h"
#include "plan/model.h"
#include <systemd/sd-event.h>

typedef struct Eni Eni;

typedef enum EniState {
    ENI_STATE_NEW,
    ENI_STATE_ALLOCATING, /* subnet-start: finding an address */
    ENI_STATE_CREATING,
    ENI_STATE_ATTACHING,
    ENI_STATE_LOOKING, /* EC2 is asked where the interface is before anything is repeated */
    ENI_STATE_PAUSING, /* between a look and the next Attach */
    ENI_STATE_MODIFYING,
    ENI_STATE_READY,    /* attached and as wanted */
    ENI_STATE_REMOVING, /* it failed; what was made is taken away again */
    ENI_STATE_FAILED,
    _ENI_STATE_MAX,
} EniState;

typedef enum EniEventType {
    ENI_EVENT_CREATED,  /* it exists and its MAC is known; Attach goes out when the handler returns */
    ENI_EVENT_ATTACHED, /* EC2 has accepted the attachment: the device is due */
    ENI_EVENT_READY,    /* EC2 is done */
    ENI_EVENT_PRESENT,  /* answer to eni_look(): it is attached */
    ENI_EVENT_LOST,     /* it vanished in EC2; another one is made. The record is still the old one */
    ENI_EVENT_FAILED, /* given up; eni_error() says why. Nothing is left that nobody owns, or the text says so
                       */
} EniEventType;

typedef void (*EniHandler)(Eni *eni, EniEventType event, void *userdata);

/* What all interfaces of a node share. Borrowed; must outlive them. */
typedef struct EniContext {
    Aws *aws;
    sd_event *event;
    Allocator *allocator;
    Intents *intents;
    DeviceIndexes *indexes;
    const char *instance_id;
    usec_t deadline; /* CLOCK_MONOTONIC: of the boot */
    EniHandler handler;
    void *userdata;
} EniContext;

/** eni_new() - for one line of the plan, which is copied as far as it is needed; desired must outlive it */
int eni_new(Eni **ret, const EniContext *context, const EniPlan *plan);
Eni *eni_free(Eni *eni);

/**
 * eni_prepare() - decide before Create which addresses it asks for, if the lists of the subnet are there
 *
 * The decision is in the intents, to be committed by the caller together with others.
 *
 * Return: 0, also when it is left to eni_start(); -ENOMEM.
 */
int eni_prepare(Eni *eni);

/** eni_start() - do the steps of the plan; events follow, some from inside this call */
void eni_start(Eni *eni);

/**
 * eni_look() - the device did not come, or vanished: ask EC2 where the interface is
 *
 * Followed by PRESENT when it is attached to this instance, else it is attached anew (ATTACHED), or
 * made anew (LOST, CREATED …); READY comes again after each. Or it is given up (FAILED). Only in state
 * READY or MODIFYING.
 */
void eni_look(Eni *eni);

/** eni_give_up() - the host could not use it: remove it when this run attached it, and fail with that text */
void eni_give_up(Eni *eni, const char *why);

/** eni_state() - where it is */
EniState eni_state(const Eni *eni);

/** eni_state_to_string() - "creating" … */
const char *eni_state_to_string(EniState state);

/** eni_desired() - what was wanted */
const DesiredEni *eni_desired(const Eni *eni);

/** eni_record() - what EC2 said of it; NULL before it exists */
const Ec2NetworkInterface *eni_record(const Eni *eni);

/** eni_device_index() - where it is attached or is going to be */
unsigned eni_device_index(const Eni *eni);

/** eni_is_adopted() - it existed before this run */
bool eni_is_adopted(const Eni *eni);

/** eni_error() - why it failed, one or two sentences; NULL when it did not */
const char *eni_error(const Eni *eni);

/** eni_failed_call() - the call that it failed with, for an entry's fields; empty when there was none */
const CallFields *eni_failed_call(const Eni *eni);

DEFINE_CLEANUP(Eni, eni_free)
