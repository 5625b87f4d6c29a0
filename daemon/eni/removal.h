#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Getting rid of one network interface: detach where needed, delete. */

#include "aws/call.h"
#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Removal Removal;

/* error NULL: it is gone. */
typedef void (*RemovalHandler)(const AwsError *error, void *userdata);

/* Strings are copied. */
typedef struct RemovalArgs {
    Aws *aws;
    sd_event *event;
    const char *network_interface_id; /* NULL: what a Create of network and instance_id may have made */
    const char *network;
    const char *attachment_id; /* NULL: not attached, as far as is known */
    const char *instance_id;   /* or NULL: if it turns out to be attached to this one, it is detached */
    bool unseen;     /* it was only just made: that EC2 does not know it does not mean that it is gone */
    usec_t deadline; /* CLOCK_MONOTONIC */
} RemovalArgs;

/**
 * removal_start() - detach and delete an interface
 *
 * Without an id EC2 is asked for an available interface with the tags of that network and instance, for
 * up to 15 s: when none is shown by then, that is an error (-ETIMEDOUT), since nobody knows whether there
 * is none. What EC2 shows only later is adopted by the next boot.
 *
 * An interface that is gone already is success. While EC2 still calls it in use (detaching takes
 * seconds) deletion is repeated. One that is attached to another instance stays there: an error.
 *
 * Return: 0, -ENOMEM, or the errno of sd-event. The handler is called once from the loop unless the
 * object is freed before; freeing inside the handler is fine.
 */
int removal_start(const RemovalArgs *args, RemovalHandler handler, void *userdata, Removal **ret);
Removal *removal_free(Removal *removal);

/** removal_eni_id() - the interface it is about; NULL as long as it was not found */
const char *removal_eni_id(const Removal *removal);

DEFINE_CLEANUP(Removal, removal_free)
