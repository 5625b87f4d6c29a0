#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The routes of /v1/addresses: requests in, the registrar's answers out. */

#include "register/registrar.h"
#include "register/request.h"
#include "util/macro.h"
#include "util/time.h"

typedef struct Addresses Addresses;

#define ADDRESSES_REQUEST_TIME (60 * USEC_PER_SEC) /* from when the node is ready; then 504 */

/**
 * addresses_new() - nothing is served before addresses_set_registrar()
 *
 * Return: 0 or -ENOMEM.
 */
int addresses_new(Addresses **ret);

/** addresses_free() - requests that still wait are answered 503; returns NULL */
Addresses *addresses_free(Addresses *addresses);

/** addresses_set_registrar() - where requests go from now on; NULL: nowhere (503). Not owned */
void addresses_set_registrar(Addresses *addresses, Registrar *registrar);

/** addresses_put(), … - RequestHandlers of /v1/addresses and /v1/addresses/{ip}; userdata is the Addresses */
void addresses_put(Request *request_take, void *userdata);
void addresses_post(Request *request_take, void *userdata);
void addresses_delete(Request *request_take, void *userdata);
void addresses_get(Request *request_take, void *userdata);

DEFINE_CLEANUP(Addresses, addresses_free)
