/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The daemon's answers for a person at a terminal: what did not work is said here, in two lines at
 * most, and the subcommands have only to end.
 */

#include "ask.h"
#include "service.h"
#include <errno.h>
#include <stdio.h>

int ask_call(Client *client, const char *method, const char *path, const json_t *body, usec_t timeout,
             ClientReply *ret)
{
    ClientError error;
    int r;

    r = client_call(client, method, path, body, timeout, ret, &error);
    if (r < 0) {
        fprintf(stderr, "multus-eksctl: %s\n", error.message);
        if (error.advice[0])
            fprintf(stderr, "%s\n", error.advice);
    }
    return r;
}

/* {"error": {"message": "..."}} is the form of every refusal; anything else is shown by its status alone. */
static int explain_refusal(const ClientReply *reply, const char *socket_path)
{
    const char *message = client_refusal(reply->document).message;

    fprintf(stderr, "multus-eksctl: %s: %s (HTTP %u)\n", socket_path, message ? message : "refused",
            reply->status);
    return reply->status == 403 ? -EPERM : -EPROTO;
}

/*
 * Only the usual socket is that of the unit. One that was stopped is started by whoever asks; but one that
 * has failed would only fail once more, and never be there to say why.
 */
static bool has_failed(const char *socket_path)
{
    _cleanup_root_ Root root = ROOT_NULL;
    const char *state;

    if (!streq(socket_path, CLIENT_SOCKET) || root_open("/", &root) < 0 || !service_is_down(&root, &state) ||
        !streq(state, "failed"))
        return false;
    fputs(
        "multus-eksctl: the daemon is not running: multus-eksd.service is failed\n"
        "See why it ended with 'journalctl -xu multus-eksd', and start it with 'systemctl restart "
        "multus-eksd'.\n",
        stderr);
    return true;
}

int ask_get(const char *socket_path, const char *path, usec_t timeout, json_t **ret)
{
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    _cleanup_(client_freep) Client *client = NULL;
    int r;

    if (has_failed(socket_path))
        return -ENOENT;
    r = client_new(&client, socket_path, "multus-eksctl/" VERSION);
    if (r < 0) {
        fputs("multus-eksctl: out of memory\n", stderr);
        return r;
    }
    r = ask_call(client, "GET", path, NULL, timeout, &reply);
    if (r < 0)
        return r;
    if (reply.status != 200)
        return explain_refusal(&reply, socket_path);
    if (!reply.document) {
        fprintf(stderr, "multus-eksctl: %s: the answer is not JSON\n", socket_path);
        return -EPROTO;
    }

    *ret = TAKE_PTR(reply.document);
    return 0;
}
