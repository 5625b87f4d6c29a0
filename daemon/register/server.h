#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The HTTP server on the inherited unix socket: peers, limits, routes. */

#include "register/peer.h"
#include "register/request.h"
#include "util/macro.h"
#include "util/time.h"
#include <jansson.h>
#include <systemd/sd-event.h>

typedef struct Server Server;

/* The status document of the moment; the reference is the server's. NULL: out of memory. */
typedef json_t *(*ServerStatus)(void *userdata);

/* What becomes of requests that are not early: GET /v1/status is answered in every mode. */
typedef enum ServerMode {
    SERVER_MODE_HOLD,   /* they wait: the boot is under way */
    SERVER_MODE_READY,  /* they are handled */
    SERVER_MODE_REFUSE, /* 503: the boot failed */
} ServerMode;

typedef struct ServerOptions {
    gid_t group;              /* of peers that are let in besides root; PEER_GROUP_NONE: root alone */
    usec_t timeout;           /* to send a whole request, to read a whole answer, to be idle; 0: 10 s */
    unsigned max_connections; /* more get a 503; 0: 512 */
    ServerStatus status;
    const Route *routes; /* besides GET /v1/status; not copied */
    size_t n_routes;
    void *userdata; /* for status and the routes' handlers */
} ServerOptions;

#define SERVER_OPTIONS_NULL ((ServerOptions){.group = PEER_GROUP_NONE})

/**
 * server_new() - serve on a listening unix socket, in mode HOLD
 * @fd_take: closed by server_free(), and also when this call fails
 * @options: copied, but for the routes
 *
 * Return: 0, -ENOMEM, -EIO when libmicrohttpd refuses, or the errno of fcntl() and sd-event.
 */
int server_new(Server **ret, sd_event *event, int fd_take, const ServerOptions *options);

/**
 * server_free() - close every connection and the socket; returns NULL
 *
 * Requests that handlers have stay theirs and are answered into the void; those that no handler has
 * seen are refused with 503 "stopping", and no handler is called any more. Not to be called from
 * inside a handler.
 */
Server *server_free(Server *server);

/** server_set_mode() - from now on; READY hands over what was held, REFUSE refuses it */
void server_set_mode(Server *server, ServerMode mode);

/** server_n_connections() - open now, for metrics */
unsigned server_n_connections(const Server *server);

DEFINE_CLEANUP(Server, server_free)
