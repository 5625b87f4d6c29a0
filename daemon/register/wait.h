#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Those who wait for an address, and their answers. */

#include "register/registrar.h"

typedef struct Interface Interface;

/** wait_new() - in no list yet; 0 or -ENOMEM */
int wait_new(RegistrarWait **ret, const InAddr *address, usec_t deadline, RegistrarHandler handler,
             void *userdata);

/** wait_pend() - it waits for its address, until its deadline */
void wait_pend(Registrar *registrar, RegistrarWait *wait);

/** wait_finish() - answer it after the next write; error NULL: 200, on the interface or NULL */
void wait_finish(Registrar *registrar, RegistrarWait *wait, const ProtocolError *error,
                 const Interface *interface);

/** waits_finish() - likewise all that wait for an address */
void waits_finish(Registrar *registrar, const InAddr *address, const ProtocolError *error,
                  const Interface *interface);

/** waits_deadline() - CLOCK_MONOTONIC: when the last one that waits for an address gives up; 0: nobody waits
 */
usec_t waits_deadline(const Registrar *registrar, const InAddr *address);

/** waits_flush() - write what changed and answer what is finished, from the loop */
void waits_flush(Registrar *registrar);

/** waits_write() - write what changed, now; a disk that refuses is said and tried again later */
void waits_write(Registrar *registrar);

/** waits_init() - the event sources; 0 or the errno of sd-event */
int waits_init(Registrar *registrar);

/** waits_done() - forget all: none is called any more */
void waits_done(Registrar *registrar);
