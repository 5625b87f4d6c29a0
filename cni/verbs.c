/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The commands, as exchanges with the daemon. The plugin keeps nothing of its own: the daemon's list
 * with its owners is the only memory, so DEL, CHECK and GC are right also after a crash in the middle
 * of an ADD, and DEL does without a prevResult, which a runtime may have lost.
 *
 * ADD: all addresses in one request, one answer for each. If one is refused the pod does not come up,
 * so those that were registered are given back at once. When no answer came at all (timeout, connection
 * lost, the daemon stopping) it is not known what was registered: all are given back, as far as
 * GIVE_BACK_TIMEOUT goes; the DEL with which runtimes follow a failed ADD does the rest.
 *
 * DEL: pods must be deletable whatever state the node is in. With nobody behind the socket (stopped, or
 * never installed), or a daemon whose boot has failed, it succeeds and says on stderr what it could not do:
 * the daemon keeps its list on disk, so what is left there is given back by whichever node registers the
 * address next, by multus-eksctl, after the next reboot, or by GC, where the runtime calls it. A daemon that
 * is merely restarting does not look like that: systemd holds the socket, the request waits, and one that a
 * daemon refuses because it is stopping is asked again. If it is there and does not answer, the result is
 * "try again later", which runtimes do until it succeeds. Of prevResult's addresses one may be with a newer
 * owner, whose request is on its way: should that fail, the daemon would have it be this pod's again, unless
 * it is given back in its name now.
 */

#include "cni/verbs.h"
#include "client/client.h"
#include "cni/parent.h"
#include "util/utf8.h"
#include <errno.h>
#include <stdio.h>

#define GIVE_BACK_TIMEOUT (5 * USEC_PER_SEC)

/* Bytes of the daemon's words: of the error, of each in its details. */
#define MESSAGE_MAX       300
#define MESSAGE_SHORT_MAX 100

#define PATH_ADDRESSES "/v1/addresses"

static bool is_absent(int r)
{
    return r == -ENOENT || r == -ECONNREFUSED;
}

/* What of a deadline is left. */
static usec_t time_left(usec_t deadline)
{
    usec_t now = time_monotonic();

    return now < deadline ? deadline - now : 0;
}

static int no_reply(const ClientError *client_error, CniError *ret_error)
{
    (void)cni_error(ret_error, CNI_CODE_AGAIN, "%s", client_error->message);
    if (client_error->advice[0])
        cni_error_add(ret_error, "%s", client_error->advice);
    return -EPROTO;
}

/* A daemon that stumbled (500) may walk later. */
static CniCode refusal_code(unsigned status, const json_t *document)
{
    return status == 500 || client_is_temporary(status, document) ? CNI_CODE_AGAIN : CNI_CODE_REFUSED;
}

/* "10.0.1.7: the address is reserved (HTTP 409)"; subject: the address, or the socket for a whole request. */
static int refused(const char *subject, unsigned status, const json_t *document, CniError *ret_error)
{
    ClientRefusal refusal = client_refusal(document);
    const char *message = refusal.message ?: "refused";

    (void)cni_error(ret_error, refusal_code(status, document), "%s: %.*s (HTTP %u)", subject,
                    (int)utf8_cut(message, MESSAGE_MAX), message, status);
    if (refusal.code)
        cni_error_add(ret_error, "code %.64s", refusal.code);
    if (refusal.ec2_code)
        cni_error_add(ret_error, "EC2 %.128s", refusal.ec2_code);
    if (refusal.ec2_request_id)
        cni_error_add(ret_error, "request %.128s", refusal.ec2_request_id);
    return -EPROTO;
}

/* ------------------------------------------------------------------ giving back */

/* 409: it has another owner by now, and is none of ours. 404: it is not registered. Either is as wanted. */
static int release(Client *client, const char *address, const char *owner, usec_t deadline,
                   CniError *ret_error)
{
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    _cleanup_buf_ Buf path = BUF_NULL;
    ClientError client_error;

    if (client_release_path(&path, address, owner) < 0)
        return cni_error(ret_error, CNI_CODE_IO, "out of memory");
    if (client_call(client, "DELETE", path.data, NULL, time_left(deadline), &reply, &client_error) < 0)
        return no_reply(&client_error, ret_error);
    if (reply.status != 200 && reply.status != 404 && reply.status != 409)
        return refused(address, reply.status, reply.document, ret_error);
    return 0;
}

/*
 * A daemon whose boot has failed knows of no address. While the boot is under way it does not answer so:
 * requests wait then.
 */
static bool has_failed(const ClientReply *reply)
{
    return reply->status == 503 && streq_ptr(client_refusal(reply->document).code, "not_ready");
}

/* The daemon's list. Not being there to serve is told apart from everything else by *ret_absent. */
static int get_addresses(Client *client, const Input *input, usec_t deadline, json_t **ret, bool *ret_absent,
                         CniError *ret_error)
{
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    ClientError client_error;
    int r;

    *ret_absent = false;
    r = client_call(client, "GET", PATH_ADDRESSES, NULL, time_left(deadline), &reply, &client_error);
    if (r < 0) {
        *ret_absent = is_absent(r);
        return no_reply(&client_error, ret_error);
    }
    *ret_absent = has_failed(&reply);
    if (reply.status != 200)
        return refused(input->socket_path, reply.status, reply.document, ret_error);
    if (!json_is_array(json_object_get(reply.document, "addresses")))
        return cni_error(ret_error, CNI_CODE_AGAIN, "%s: not the answer of multus-eksd", input->socket_path);

    *ret = TAKE_PTR(reply.document);
    return 0;
}

/* In whose name an address of the list is to be given back; NULL: it is not. */
static const char *give_back_as(const Input *input, const char *address, const char *owner)
{
    if (input->command == CNI_COMMAND_GC)
        return input_is_left_over(input, owner) ? owner : NULL;
    return streq(owner, input->owner) || input_has_address(input, address) ? input->owner : NULL;
}

/* DEL and GC. All are tried; the last error tells. */
static int release_listed(Client *client, const Input *input, const json_t *document, usec_t deadline,
                          CniError *ret_error)
{
    const json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach(json_object_get(document, "addresses"), i, item)
    {
        const char *owner = json_string_value(json_object_get(item, "owner"));
        const char *address = json_string_value(json_object_get(item, "address"));
        const char *state = json_string_value(json_object_get(item, "state"));

        if (!owner || !address || streq_ptr(state, "released"))
            continue;
        owner = give_back_as(input, address, owner);
        if (owner)
            r = release(client, address, owner, deadline, ret_error) < 0 ? -EPROTO : r;
    }
    return r;
}

static int run_release(Client *client, const Input *input, CniError *ret_error)
{
    usec_t deadline = time_add(time_monotonic(), input->timeout);
    _cleanup_json_ json_t *document = NULL;
    bool absent;

    if (input->overlooked.details[0])
        fprintf(stderr, "multus-eks-ip: overlooked for %s: %s\n", input->owner, input->overlooked.details);
    if (get_addresses(client, input, deadline, &document, &absent, ret_error) < 0) {
        if (!absent || input->command != CNI_COMMAND_DEL)
            return -EPROTO;
        fprintf(stderr, "multus-eks-ip: addresses of %s are not given back: %s\n", input->owner,
                ret_error->message);
        return 0;
    }
    return release_listed(client, input, document, deadline, ret_error);
}

/* ------------------------------------------------------------------ ADD */

static const json_t *find_result(const json_t *document, const char *address)
{
    const json_t *result;
    InAddr wanted, found;
    size_t i;

    if (in_addr_parse(address, &wanted) < 0)
        return NULL;
    json_array_foreach(json_object_get(document, "results"), i, result)
    {
        const char *text = json_string_value(json_object_get(result, "address"));

        if (text && in_addr_parse(text, &found) == 0 && in_addr_equal(&wanted, &found))
            return result;
    }
    return NULL;
}

static unsigned result_status(const json_t *result)
{
    json_int_t status = json_integer_value(json_object_get(result, "status"));

    return status > 0 && status < 1000 ? (unsigned)status : 500;
}

/* One more address that was refused, in a few words. */
static void add_refused(const char *address, const json_t *result, CniError *ret_error)
{
    const char *message = client_refusal(result).message ?: "refused";

    cni_error_add(ret_error, "%s: %.*s.", address, (int)utf8_cut(message, MESSAGE_SHORT_MAX), message);
}

/* The first address that was refused is the error; the others stand in its details. */
static int judge_results(const Input *input, const ClientReply *reply, const char *const *addresses,
                         CniError *ret_error)
{
    bool failed = false;

    if (reply->status != 200)
        return refused(input->socket_path, reply->status, reply->document, ret_error);
    for (size_t i = 0; i < input->n_addresses; i++) {
        const json_t *result = find_result(reply->document, addresses[i]);
        unsigned status = result_status(result);

        if (status == 200)
            continue;
        if (failed)
            add_refused(addresses[i], result, ret_error);
        else
            (void)refused(addresses[i], status, result, ret_error);
        failed = true;
    }
    return failed ? -EPROTO : 0;
}

/*
 * reply: NULL when it is not known what was registered. Its failures are not told: the failure of the ADD
 * is, and DEL follows. A whole request that was refused registered nothing.
 */
static void give_back(Client *client, const Input *input, const ClientReply *reply,
                      const char *const *addresses)
{
    usec_t deadline = time_add(time_monotonic(), GIVE_BACK_TIMEOUT);
    CniError ignored;

    for (size_t i = 0; i < input->n_addresses; i++)
        if (!reply || result_status(find_result(reply->document, addresses[i])) == 200)
            (void)release(client, addresses[i], input->owner, deadline, &ignored);
}

static int register_addresses(Client *client, const Input *input, const char *interface,
                              const char *const *addresses, CniError *ret_error)
{
    _cleanup_json_ json_t *body = NULL;
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    ClientError client_error;
    int r;

    body = client_register_body(input->owner, interface, addresses, input->n_addresses);
    if (!body)
        return cni_error(ret_error, CNI_CODE_IO, "out of memory");

    r = client_call(client, "POST", PATH_ADDRESSES, body, input->timeout, &reply, &client_error);
    if (r < 0) {
        if (!is_absent(r))
            give_back(client, input, NULL, addresses);
        return no_reply(&client_error, ret_error);
    }
    r = judge_results(input, &reply, addresses, ret_error);
    if (r < 0)
        give_back(client, input, client_is_stopping(&reply) ? NULL : &reply, addresses);
    return r;
}

/* A result has the version of its configuration; within prevResult the specification lets it be absent. */
static int make_result(const Input *input, json_t **ret, CniError *ret_error)
{
    _cleanup_json_ json_t *result = json_copy((json_t *)input->prev_result);

    if (!result || (!json_object_get(result, "cniVersion") &&
                    json_object_set_new(result, "cniVersion", json_string(input->version)) < 0))
        return cni_error(ret_error, CNI_CODE_IO, "out of memory");
    *ret = TAKE_PTR(result);
    return 0;
}

static int run_add(Client *client, const Input *input, json_t **ret_output, CniError *ret_error)
{
    char texts[INPUT_ADDRESSES_MAX][IN_ADDR_TEXT];
    const char *addresses[INPUT_ADDRESSES_MAX];
    char parent[IFNAMSIZ] = "";
    const char *interface = input->master;

    if (input->n_addresses == 0)
        return make_result(input, ret_output, ret_error);
    for (size_t i = 0; i < input->n_addresses; i++)
        addresses[i] = in_addr_format(&input->addresses[i], texts[i]);

    if (!interface) {
        if (parent_find(input->netns, input->ifname, parent, ret_error) < 0)
            return -EPROTO;
        interface = parent[0] ? parent : NULL;
    }
    if (register_addresses(client, input, interface, addresses, ret_error) < 0)
        return -EPROTO;
    return make_result(input, ret_output, ret_error);
}

/* ------------------------------------------------------------------ CHECK, STATUS, VERSION */

static bool is_registered(const json_t *document, const InAddr *address, const char *owner)
{
    const json_t *item;
    InAddr found;
    size_t i;

    json_array_foreach(json_object_get(document, "addresses"), i, item)
    {
        const char *text = json_string_value(json_object_get(item, "address"));

        if (text && in_addr_parse(text, &found) == 0 && in_addr_equal(&found, address))
            return streq_ptr(json_string_value(json_object_get(item, "owner")), owner) &&
                   streq_ptr(json_string_value(json_object_get(item, "state")), "wanted") &&
                   !json_is_false(json_object_get(item, "assigned"));
    }
    return false;
}

static int run_check(Client *client, const Input *input, CniError *ret_error)
{
    _cleanup_json_ json_t *document = NULL;
    char text[IN_ADDR_TEXT];
    bool absent, failed = false;

    if (get_addresses(client, input, time_add(time_monotonic(), input->timeout), &document, &absent,
                      ret_error) < 0)
        return -EPROTO;
    for (size_t i = 0; i < input->n_addresses; i++) {
        if (is_registered(document, &input->addresses[i], input->owner))
            continue;
        (void)in_addr_format(&input->addresses[i], text);
        if (failed)
            cni_error_add(ret_error, "%s neither.", text);
        else
            (void)cni_error(ret_error, CNI_CODE_MISSING, "%s is not registered for this pod", text);
        failed = true;
    }
    return failed ? -EPROTO : 0;
}

static bool is_called(const json_t *interface, const char *name)
{
    return streq_ptr(json_string_value(json_object_get(interface, "name")), name) ||
           streq_ptr(json_string_value(json_object_get(interface, "network")), name) ||
           streq_ptr(json_string_value(json_object_get(interface, "eni_id")), name);
}

/*
 * A degraded node serves the interfaces it has, and a network may have several. One that is bound to a
 * driver, or away in a pod, can be registered on; so only what has failed or is not there counts.
 */
static int judge_master(const Input *input, const json_t *document, CniError *ret_error)
{
    const json_t *interface;
    const char *error = NULL;
    bool known = false;
    size_t i;

    if (!input->master)
        return 0;
    json_array_foreach(json_object_get(document, "interfaces"), i, interface)
    {
        if (!is_called(interface, input->master))
            continue;
        if (!streq_ptr(json_string_value(json_object_get(interface, "state")), "failed"))
            return 0;
        known = true;
        error = json_string_value(json_object_get(interface, "error"));
    }
    if (!known)
        return cni_error(ret_error, CNI_CODE_UNAVAILABLE, "no Multus interface of this node is called %s",
                         input->master);
    (void)cni_error(ret_error, CNI_CODE_UNAVAILABLE, "%s has failed", input->master);
    if (error)
        cni_error_add(ret_error, "%s", error);
    return -EPROTO;
}

static int run_status(Client *client, const Input *input, CniError *ret_error)
{
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    ClientError client_error;
    const char *phase;

    if (client_call(client, "GET", "/v1/status", NULL, input->timeout, &reply, &client_error) < 0) {
        (void)no_reply(&client_error, ret_error);
        ret_error->code = CNI_CODE_UNAVAILABLE;
        return -EPROTO;
    }
    if (reply.status != 200) {
        (void)refused(input->socket_path, reply.status, reply.document, ret_error);
        ret_error->code = CNI_CODE_UNAVAILABLE;
        return -EPROTO;
    }
    if (json_is_true(json_object_get(reply.document, "ready")))
        return judge_master(input, reply.document, ret_error);
    phase = json_string_value(json_object_get(reply.document, "phase"));
    return cni_error(ret_error, CNI_CODE_UNAVAILABLE, "%s: the node's interfaces are not ready (%.64s)",
                     input->socket_path, phase ?: "unknown phase");
}

static int run_version(const Input *input, json_t **ret_output, CniError *ret_error)
{
    json_t *output =
        json_pack("{s:s, s:o}", "cniVersion", input->version, "supportedVersions", input_versions());

    if (!output)
        return cni_error(ret_error, CNI_CODE_IO, "out of memory");
    *ret_output = output;
    return 0;
}

int verb_run(const Input *input, json_t **ret_output, CniError *ret_error)
{
    _cleanup_(client_freep) Client *client = NULL;

    *ret_output = NULL;
    if (input->command == CNI_COMMAND_VERSION)
        return run_version(input, ret_output, ret_error);
    if (client_new(&client, input->socket_path, "multus-eks-ip/" VERSION) < 0)
        return cni_error(ret_error, CNI_CODE_IO, "out of memory");

    switch (input->command) {
    case CNI_COMMAND_ADD: return run_add(client, input, ret_output, ret_error);
    case CNI_COMMAND_DEL:
    case CNI_COMMAND_GC: return run_release(client, input, ret_error);
    case CNI_COMMAND_CHECK: return run_check(client, input, ret_error);
    case CNI_COMMAND_STATUS: return run_status(client, input, ret_error);
    case CNI_COMMAND_VERSION:
    case _CNI_COMMAND_MAX: break;
    }
    assert(!"a command that is not one");
    return -EPROTO;
}
