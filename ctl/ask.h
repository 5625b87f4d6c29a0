#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Questions to the daemon whose failure is told on stderr. */

#include "client/client.h"

/**
 * ask_call() - one request; see client_call()
 *
 * That there is no reply is explained on stderr: what went wrong and what to do about it. What the
 * daemon answered, a refusal too, is the caller's.
 *
 * Return: 0, or a negative errno after the message was printed.
 */
int ask_call(Client *client, const char *method, const char *path, const json_t *body, usec_t timeout,
             ClientReply *ret);

/**
 * ask_get() - GET a path and decode the JSON answer
 * @path: such as "/v1/status"
 * @timeout: for the whole exchange
 * @ret: the document, released by the caller with json_decref()
 *
 * Whatever is not a document with status 200 is explained on stderr.
 *
 * Return: 0, or a negative errno after the message was printed.
 */
int ask_get(const char *socket_path, const char *path, usec_t timeout, json_t **ret);
