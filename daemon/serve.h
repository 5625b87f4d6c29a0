#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What the node serves: the routes of the socket, and from READY on the registrar and the watch behind them.
 */

#include "manager-private.h"
#include "register/addresses.h"
#include "register/registrar.h"
#include "register/watch.h"

typedef struct Serve Serve;

/** serve_new() - the socket's server, answering status; the fd is taken over, also on failure */
int serve_new(Serve **ret, Manager *manager, int fd_take);
Serve *serve_free(Serve *serve);

/**
 * serve_start() - the boot is over: registrar and watch begin, held requests go to them
 *
 * Return: 0 or -ENOMEM. That pods cannot be watched is logged and leaves the socket.
 */
int serve_start(Serve *serve);

/**
 * serve_set_ifindex() - where an interface is now; 0: nowhere
 *
 * Does nothing before serve_start(), and for an interface that is not served.
 */
void serve_set_ifindex(Serve *serve, const char *network_interface_id, int ifindex);

/** serve_refuse() - the boot failed or the daemon stops: 503 from now on */
void serve_refuse(Serve *serve);

/** serve_registrar() - NULL before serve_start() */
const Registrar *serve_registrar(const Serve *serve);

DEFINE_CLEANUP(Serve, serve_free)
