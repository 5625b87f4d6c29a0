#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* A registrar without AWS: takes every address, newest owner first, and notes who asked. */

#include "register/registrar.h"

typedef struct FakeCall {
    bool is_release;
    char address[IN_ADDR_TEXT];
    char ifname[IFNAMSIZ]; /* "" for a release */
    char owner[REGISTRAR_OWNER_MAX];
    unsigned status; /* answered, or to be answered */
    usec_t at;       /* CLOCK_MONOTONIC */
} FakeCall;

/** fake_registrar_new() - never NULL; freed by registrar_free() */
Registrar *fake_registrar_new(void);

/** fake_registrar_later() - from now on keep answers until fake_registrar_answer(), or answer at once */
void fake_registrar_later(Registrar *registrar, bool later);

/** fake_registrar_answer() - give the answers that were kept; those that nobody waits for are dropped */
void fake_registrar_answer(Registrar *registrar);

/** fake_registrar_refuse() - answer registrations with this status from now on; 200: take them again */
void fake_registrar_refuse(Registrar *registrar, unsigned status);

/** fake_registrar_put() - as if it had been registered by somebody before */
void fake_registrar_put(Registrar *registrar, const char *address, const char *owner);

/** fake_registrar_owner() - who has the address now, or NULL */
const char *fake_registrar_owner(const Registrar *registrar, const char *address);

/** fake_registrar_interface() - where the address is now, or NULL */
const char *fake_registrar_interface(const Registrar *registrar, const char *address);

/** fake_registrar_n() - addresses that are registered now */
size_t fake_registrar_n(const Registrar *registrar);

/** fake_registrar_calls() - what was asked since fake_registrar_forget_calls() */
const FakeCall *fake_registrar_calls(const Registrar *registrar, size_t *ret_n);
void fake_registrar_forget_calls(Registrar *registrar);
