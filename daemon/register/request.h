#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* One request of a peer, from its first line to its answer. */

#include "register/peer.h"
#include "register/protocol.h"
#include "util/buf.h"
#include "util/keyvalue.h"
#include "util/macro.h"
#include <jansson.h>

typedef struct Request Request;

/* A handler owns the request: it answers now, or keeps it and answers later, once. */
typedef void (*RequestHandler)(Request *request_take, void *userdata);

typedef struct Route {
    const char *method;
    const char *pattern; /* see protocol_match() */
    RequestHandler handler;
    bool early; /* answered before the server was told that it is ready */
} Route;

typedef enum RequestState {
    REQUEST_STATE_RECEIVING, /* the body is still coming */
    REQUEST_STATE_HELD,      /* whole; waits until the server is ready */
    REQUEST_STATE_HANDLED,   /* with its handler */
    _REQUEST_STATE_MAX,
} RequestState;

/* An answer on its way to the peer. */
typedef struct Answer {
    unsigned status;
    const char *content_type; /* static */
    char *text;               /* owned */
    size_t n;
} Answer;

/* Called once with the answer, which then belongs to the callee, and never after request_detach(). */
typedef void (*RequestAnswered)(Request *request, Answer *answer_take, void *userdata);

/* Called when the peer is gone. The request stays the handler's; its answer goes nowhere. */
typedef void (*RequestVanished)(Request *request, void *userdata);

/**
 * request_new() - a request whose first line has been read
 * @route: not copied, must outlive the request
 * @parameter: see protocol_match(); copied, may be NULL
 * @answered: takes the answer
 *
 * Return: 0 or -ENOMEM.
 */
int request_new(Request **ret, const Route *route, const char *parameter, const Peer *peer,
                RequestAnswered answered, void *userdata);

/** request_free() - for the transport, while no handler has it; handlers answer instead; returns NULL */
Request *request_free(Request *request);

/** request_receive() - append a piece of the body; 0, -ENOMEM, or -EMSGSIZE past PROTOCOL_BODY_MAX */
int request_receive(Request *request, const char *data, size_t n);

/** request_hold() - the body is whole; wait */
void request_hold(Request *request);

/** request_handle() - the body is whole; hand the request to its route's handler */
void request_handle(Request *request, void *userdata);

/**
 * request_detach() - the peer is gone, or the server is
 *
 * Frees a request that no handler has. One that a handler has lives on until it is answered; its
 * vanished callback, if any, is called from here.
 */
void request_detach(Request *request_take);

/** request_on_vanished() - be told when the peer is gone before the answer */
void request_on_vanished(Request *request, RequestVanished vanished, void *userdata);

/** request_state() - where it is */
RequestState request_state(const Request *request);

/** request_route() - the route it matched */
const Route *request_route(const Request *request);

/** request_peer() - who asks */
const Peer *request_peer(const Request *request);

/** request_parameter() - the part of the path that stands for "{…}", or NULL */
const char *request_parameter(const Request *request);

/** request_query() - value of a query parameter, or NULL */
const char *request_query(const Request *request, const char *key);

/** request_add_query() - for the transport: one query parameter, value NULL for none; 0 or -ENOMEM */
int request_add_query(Request *request, const char *key, const char *value);

/**
 * request_body() - the body as a JSON object
 *
 * Return: 0 with *ret (released by the caller); -EINVAL with ret_message set, for a 400; -ENOMEM.
 */
int request_body(const Request *request, json_t **ret, char ret_message[static 256]);

/** request_answer() - end the request with a document (its reference is taken; NULL: 500, out of memory) */
void request_answer(Request *request_take, unsigned status, json_t *document_take);

/** request_answer_text() - end the request with text (NULL: an empty 500); content_type is static */
void request_answer_text(Request *request_take, unsigned status, const char *content_type, char *text_take);

/** request_refuse() - end the request with an error */
void request_refuse(Request *request_take, const ProtocolError *error);

/** answer_done() - free the text */
void answer_done(Answer *answer);

/** answer_from_json() - the document as text; a reference is taken, NULL gives 500; 0 or -ENOMEM */
int answer_from_json(Answer *ret, unsigned status, json_t *document_take);

DEFINE_CLEANUP(Request, request_free)
