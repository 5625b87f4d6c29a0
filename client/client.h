#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Questions to the daemon over its unix socket. */

#include "util/buf.h"
#include "util/json.h"
#include "util/macro.h"
#include "util/time.h"

#define CLIENT_SOCKET "/run/multus-eks/multus-eks.sock"

typedef struct Client Client;

/* What the daemon said, whatever it was. */
typedef struct ClientReply {
    unsigned status;  /* HTTP status */
    json_t *document; /* owned; NULL when the answer is not JSON */
} ClientReply;

#define CLIENT_REPLY_NULL ((ClientReply){0})

/* Why there is no reply, for people. Empty strings for nothing to say. */
typedef struct ClientError {
    char message[384]; /* one line: which socket and what happened */
    char advice[256];  /* one line: what to do about it */
} ClientError;

/* {"error": {...}} taken apart. Borrowed from the document; NULL for what is absent. */
typedef struct ClientRefusal {
    const char *code;
    const char *message;
    const char *ec2_code;
    const char *ec2_request_id;
} ClientRefusal;

/**
 * client_new() - a client of the daemon behind that socket; nothing is connected yet
 * @agent: who asks, for User-Agent: a program's name
 *
 * Both strings are borrowed for the client's life. Return: 0 or -ENOMEM.
 */
int client_new(Client **ret, const char *socket_path, const char *agent);
Client *client_free(Client *client);

/**
 * client_call() - a request and its reply; blocks
 * @method: "GET", "POST", "PUT" or "DELETE"
 * @path: with its query, such as "/v1/status"
 * @body: JSON to send, or NULL
 * @timeout: for the whole exchange
 * @ret: released by client_reply_done()
 *
 * A daemon that is stopping is asked again, as the next one; that it is stopping is the reply only when
 * the time is up. Any other refusal is a reply at once: the caller looks at its status.
 *
 * Return: 0; or without a reply and with *ret_error filled in: -ENOENT or -ECONNREFUSED: the daemon is
 * not there; -EACCES: this user is not admitted; -ETIMEDOUT; -EPROTO: the answer is too long;
 * -ECONNRESET: the connection was lost before the answer; -ENAMETOOLONG; -ENOMEM; -EIO.
 */
int client_call(Client *client, const char *method, const char *path, const json_t *body, usec_t timeout,
                ClientReply *ret, ClientError *ret_error);

/**
 * client_is_stopping() - whether a reply is that of a daemon that is stopping
 *
 * What was asked for may have been done or not.
 */
bool client_is_stopping(const ClientReply *reply);

/** client_reply_done() - release the document; the reply is empty afterwards */
void client_reply_done(ClientReply *reply);

/** client_refusal() - the parts of {"error": {...}}, all NULL where the document is none */
ClientRefusal client_refusal(const json_t *document);

/**
 * client_is_temporary() - whether what was refused may be granted when it is asked for again later
 * @status: HTTP status of the reply, or that of one result in it
 * @document: the reply, or that result
 */
bool client_is_temporary(unsigned status, const json_t *document);

/**
 * client_register_body() - what POST /v1/addresses takes
 * @interface: for every address; NULL: the daemon finds it by the subnet
 *
 * Return: an object of the caller, or NULL when out of memory.
 */
json_t *client_register_body(const char *owner, const char *interface, const char *const *addresses,
                             size_t n_addresses);

/** client_release_path() - append "/v1/addresses/IP?owner=OWNER", percent-encoded; 0 or -ENOMEM */
int client_release_path(Buf *path, const char *address, const char *owner);

DEFINE_CLEANUP(Client, client_free)
#define _cleanup_client_reply_ _cleanup_(client_reply_done)
