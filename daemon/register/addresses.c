/* SPDX-License-Identifier: Apache-2.0 */

/*
 * /v1/addresses.
 *
 * An Operation is one HTTP request while the registrar works on it: one part for each address, one
 * answer when the last part is done. PUT and DELETE have one part and answer with its status; POST has
 * one part an address and answers 200 with a result for each, since some may have been refused while
 * others are routable already.
 *
 * A peer that goes away takes its Operation with it, but not what it asked for: the address stays
 * registered, as if the answer had been lost on the way. Asking again, or giving back, is the peer's.
 *
 * Root is trusted not to flood itself; others have a token bucket for each user, as a pod that was given
 * the socket can be out of its mind.
 */

#include "register/addresses.h"
#include "util/json.h"
#include "util/utf8.h"
#include <errno.h>
#include <stdio.h>

#define QUOTE_MAX 64   /* bytes of what is wrong, in the answer */
#define PARTS_MAX 1024 /* addresses of one POST; what fits into a body is fewer anyway */

/* Requests that change something, for each user but root. */
#define USER_BURST 200.0
#define USER_RATE  50.0 /* a second */
#define USERS_MAX  16

typedef struct Operation Operation;

typedef struct Part {
    Operation *operation;
    InAddr address;
    const char *sent; /* of POST, what is refused at once: the address as it was sent; else NULL */
    RegistrarWait *wait;
    json_t *result; /* of POST */
} Part;

struct Operation {
    Addresses *addresses;
    Request *request;
    bool several; /* POST */
    Part *parts;
    size_t n_parts;
    size_t n_pending;
    bool started; /* all parts were handed to the registrar: the answer may go out */
    Operation *previous, *next;
};

typedef struct User {
    uid_t uid;
    double tokens;
    usec_t at;
} User;

struct Addresses {
    Registrar *registrar;
    Operation *operations;
    User users[USERS_MAX];
    size_t n_users;
};

static const ProtocolError error_not_ready = {
    .status = 503,
    .code = "not_ready",
    .message = "the node's interfaces are not ready",
};

static const ProtocolError error_stopping = {
    .status = 503,
    .code = "stopping",
    .message = "the daemon is stopping: whether it was done is not known",
};

static const ProtocolError error_memory = {
    .status = 500, .code = "out_of_memory", .message = "out of memory"};

/* ------------------------------------------------------------------ operations */

/* Whatever still waits is let go; the request must have been answered or be gone. */
static void operation_free(Operation *operation)
{
    if (operation->previous)
        operation->previous->next = operation->next;
    else
        operation->addresses->operations = operation->next;
    if (operation->next)
        operation->next->previous = operation->previous;

    for (size_t i = 0; i < operation->n_parts; i++) {
        registrar_wait_free(operation->parts[i].wait);
        json_decref(operation->parts[i].result);
    }
    free(operation->parts);
    free(operation);
}

static void on_vanished(Request *request, void *userdata)
{
    Operation *operation = userdata;

    operation->request = NULL;
    /* It stays the handler's: answered into the void. */
    request_refuse(request, &error_not_ready);
    if (operation->started)
        operation_free(operation);
}

static int operation_new(Addresses *addresses, size_t n_parts, Operation **ret)
{
    Operation *operation = calloc(1, sizeof(*operation));

    if (!operation)
        return -ENOMEM;
    operation->addresses = addresses;
    operation->parts = calloc(n_parts, sizeof(*operation->parts));
    if (!operation->parts) {
        free(operation);
        return -ENOMEM;
    }
    operation->n_parts = n_parts;
    operation->n_pending = n_parts;
    for (size_t i = 0; i < n_parts; i++)
        operation->parts[i].operation = operation;

    operation->next = addresses->operations;
    if (operation->next)
        operation->next->previous = operation;
    addresses->operations = operation;
    *ret = operation;
    return 0;
}

/* The request is the operation's from here on. */
static void operation_take(Operation *operation, Request *request_take)
{
    operation->request = request_take;
    request_on_vanished(request_take, on_vanished, operation);
}

static json_t *result_json(const Part *part, const RegistrarResult *result)
{
    char formatted[IN_ADDR_TEXT];
    const char *text = part->sent ?: in_addr_format(&part->address, formatted);
    json_t *object, *error;

    if (result->status == 200)
        return json_pack("{s:s, s:i, s:s*, s:s*}", "address", text, "status", 200, "interface",
                         result->interface, "eni_id", result->network_interface_id);

    object = protocol_error(&result->error);
    if (!object)
        return NULL;
    error = json_object_get(object, "error");
    error = json_pack("{s:s, s:i, s:O}", "address", text, "status", (int)result->status, "error", error);
    json_decref(object);
    return error;
}

static void operation_answer_several(Operation *operation)
{
    json_t *results = json_array(), *document;

    for (size_t i = 0; i < operation->n_parts; i++)
        (void)json_array_append_new(results, TAKE_PTR(operation->parts[i].result));
    document = json_pack("{s:o}", "results", results);
    request_answer(TAKE_PTR(operation->request), 200, document);
}

/* The last part is done. A single part has answered already, in its own words. */
static void operation_check_done(Operation *operation)
{
    if (operation->n_pending > 0 || !operation->started)
        return;
    if (operation->request && operation->several)
        operation_answer_several(operation);
    operation_free(operation);
}

static void on_result(const RegistrarResult *result, void *userdata)
{
    Part *part = userdata;
    Operation *operation = part->operation;
    ProtocolError error = result->error;

    operation->n_pending--;
    if (operation->several) {
        part->result = result_json(part, result);
    } else if (operation->request) {
        error.status = result->status;
        if (result->status == 200)
            request_answer(TAKE_PTR(operation->request), 200, result_json(part, result));
        else
            request_refuse(TAKE_PTR(operation->request), &error);
    }
    operation_check_done(operation);
}

static void part_refuse(Part *part, const ProtocolError *error)
{
    RegistrarResult result = {.status = error->status, .error = *error};

    on_result(&result, part);
}

static void operation_start(Operation *operation)
{
    operation->started = true;
    operation_check_done(operation);
}

/* ------------------------------------------------------------------ what peers may */

static User *addresses_user(Addresses *addresses, uid_t uid, usec_t now)
{
    User *oldest = &addresses->users[0];

    for (size_t i = 0; i < addresses->n_users; i++) {
        if (addresses->users[i].uid == uid)
            return &addresses->users[i];
        if (addresses->users[i].at < oldest->at)
            oldest = &addresses->users[i];
    }
    if (addresses->n_users < ARRAY_SIZE(addresses->users))
        oldest = &addresses->users[addresses->n_users++];
    *oldest = (User){.uid = uid, .tokens = USER_BURST, .at = now};
    return oldest;
}

/* Whether the peer may change n things now; else the request has been refused. */
static bool peer_may(Addresses *addresses, Request *request, double n)
{
    static const ProtocolError error = {
        .status = 429,
        .code = "too_fast",
        .message = "this user changes addresses faster than 50 a second; try again later",
    };
    const Peer *peer = request_peer(request);
    usec_t now = time_monotonic();
    User *user;

    if (peer->uid == 0)
        return true;

    user = addresses_user(addresses, peer->uid, now);
    user->tokens += (double)(now - user->at) / (double)USEC_PER_SEC * USER_RATE;
    user->tokens = MIN(user->tokens, USER_BURST);
    user->at = now;
    if (user->tokens < 1.0) {
        request_refuse(request, &error);
        return false;
    }
    user->tokens -= n;
    return true;
}

/* ------------------------------------------------------------------ what they send */

static void refuse_text(Request *request_take, const char *code, const char *text)
{
    ProtocolError error = {.status = 400, .code = code, .message = text};

    request_refuse(request_take, &error);
}

/* A member that must be a string where it is there; NULL when it is not. False: it is something else. */
static bool string_member(const json_t *object, const char *key, const char **ret)
{
    const json_t *value = json_object_get(object, key);

    *ret = json_string_value(value);
    return !value || *ret;
}

/* NULL: the object has only known members. */
static const char *unknown_member(const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;

        while (known[i] && !streq(known[i], key))
            i++;
        if (!known[i])
            return key;
    }
    return NULL;
}

/* What is wrong with the object, or NULL. */
static const char *check_object(const json_t *object, const char *const *known, const char *string1,
                                const char *string2, char message[static 256])
{
    const char *unknown = unknown_member(object, known), *unused;

    if (unknown)
        (void)snprintf(message, 256, "unknown member \"%.*s\"", (int)utf8_cut(unknown, QUOTE_MAX), unknown);
    else if (!string_member(object, string1, &unused))
        (void)snprintf(message, 256, "\"%s\" is not a string", string1);
    else if (!string_member(object, string2, &unused))
        (void)snprintf(message, 256, "\"%s\" is not a string", string2);
    else
        return NULL;
    return message;
}

static const char *owner_of(const json_t *object)
{
    return json_string_value(json_object_get(object, "owner"));
}

/* Whether a peer may call itself that; else the request has been refused. missing: what to say of no name. */
static bool owner_may(Request *request, const char *owner, const char *missing)
{
    if (!owner || !owner[0])
        refuse_text(request, "bad_request", missing);
    else if (protocol_owner_is_watch(owner))
        refuse_text(request, "bad_owner",
                    "owners that begin with \"" PROTOCOL_OWNER_WATCH "\" are the daemon's own");
    else
        return true;
    return false;
}

/* The registrar, or NULL and the request has been refused. */
static Registrar *registrar_for(const Addresses *addresses, Request *request)
{
    if (!addresses->registrar)
        request_refuse(request, &error_not_ready);
    return addresses->registrar;
}

/* What is wrong with an address as it was sent, or NULL. */
static const char *check_address(const char *sent, InAddr *ret, char message[static 256])
{
    if (in_addr_parse(sent, ret) == 0)
        return NULL;
    (void)snprintf(message, 256, "\"%.*s\" is not an IPv4 or IPv6 address", (int)utf8_cut(sent, QUOTE_MAX),
                   sent);
    return message;
}

static bool address_of(Request *request, InAddr *ret)
{
    char message[256];

    if (!check_address(request_parameter(request), ret, message))
        return true;
    refuse_text(request, "bad_address", message);
    return false;
}

/* ------------------------------------------------------------------ PUT */

static void put_body(Addresses *addresses, Request *request, const InAddr *address, const json_t *body)
{
    static const char *const known[] = {"owner", "interface", NULL};
    usec_t deadline = time_add(time_monotonic(), ADDRESSES_REQUEST_TIME);
    Operation *operation;
    char message[256];
    Part *part;

    if (check_object(body, known, "owner", "interface", message)) {
        refuse_text(request, "bad_request", message);
        return;
    }
    if (!owner_may(request, owner_of(body), "\"owner\" is missing: a name that the address is given back by"))
        return;
    if (operation_new(addresses, 1, &operation) < 0) {
        request_refuse(request, &error_memory);
        return;
    }

    operation_take(operation, request);
    part = &operation->parts[0];
    part->address = *address;
    if (registrar_register(addresses->registrar, address,
                           json_string_value(json_object_get(body, "interface")), owner_of(body), deadline,
                           on_result, part, &part->wait) < 0)
        part_refuse(part, &error_memory);
    operation_start(operation);
}

void addresses_put(Request *request_take, void *userdata)
{
    Addresses *addresses = userdata;
    _cleanup_(json_decrefp) json_t *body = NULL;
    char message[256];
    InAddr address;
    int r;

    if (!registrar_for(addresses, request_take) || !address_of(request_take, &address) ||
        !peer_may(addresses, request_take, 1))
        return;

    r = request_body(request_take, &body, message);
    if (r == -EINVAL)
        refuse_text(request_take, "bad_request", message);
    else if (r < 0)
        request_refuse(request_take, &error_memory);
    else
        put_body(addresses, request_take, &address, body);
}

/* ------------------------------------------------------------------ POST */

static void post_part(Addresses *addresses, Part *part, const json_t *item, const char *owner,
                      usec_t deadline)
{
    static const char *const known[] = {"address", "interface", NULL};
    ProtocolError error = {.status = 400, .code = "bad_request"};
    const char *text = json_string_value(json_object_get(item, "address"));
    char message[256];

    if (!json_is_object(item))
        error.message = "not an object {\"address\": \"...\", \"interface\": \"...\"}";
    else
        error.message = check_object(item, known, "address", "interface", message);
    if (!error.message && !text) {
        error.message = "\"address\" is missing";
    } else if (!error.message) {
        error.code = "bad_address";
        error.message = check_address(text, &part->address, message);
    }
    if (error.message) {
        part->sent = text;
        part_refuse(part, &error);
        part->sent = NULL;
    } else if (registrar_register(addresses->registrar, &part->address,
                                  json_string_value(json_object_get(item, "interface")), owner, deadline,
                                  on_result, part, &part->wait) < 0) {
        part_refuse(part, &error_memory);
    }
}

static void post_items(Addresses *addresses, Request *request, const char *owner, const json_t *items)
{
    usec_t deadline = time_add(time_monotonic(), ADDRESSES_REQUEST_TIME);
    Operation *operation;

    if (!peer_may(addresses, request, (double)json_array_size(items)))
        return;
    if (operation_new(addresses, json_array_size(items), &operation) < 0) {
        request_refuse(request, &error_memory);
        return;
    }

    operation->several = true;
    operation_take(operation, request);
    for (size_t i = 0; i < operation->n_parts; i++)
        post_part(addresses, &operation->parts[i], json_array_get(items, i), owner, deadline);
    operation_start(operation);
}

static void post_body(Addresses *addresses, Request *request, const json_t *body)
{
    static const char *const known[] = {"owner", "addresses", NULL};
    const json_t *items = json_object_get(body, "addresses");
    char message[256];

    if (check_object(body, known, "owner", "owner", message)) {
        refuse_text(request, "bad_request", message);
        return;
    }
    if (!owner_may(request, owner_of(body), "\"owner\" is missing: a name that addresses are given back by"))
        return;
    if (!json_is_array(items) || json_array_size(items) == 0)
        refuse_text(request, "bad_request", "\"addresses\" is missing: a list of at least one");
    else if (json_array_size(items) > PARTS_MAX)
        refuse_text(request, "bad_request", "more than 1024 addresses");
    else
        post_items(addresses, request, owner_of(body), items);
}

void addresses_post(Request *request_take, void *userdata)
{
    Addresses *addresses = userdata;
    _cleanup_(json_decrefp) json_t *body = NULL;
    char message[256];
    int r;

    if (!registrar_for(addresses, request_take))
        return;

    r = request_body(request_take, &body, message);
    if (r == -EINVAL)
        refuse_text(request_take, "bad_request", message);
    else if (r < 0)
        request_refuse(request_take, &error_memory);
    else
        post_body(addresses, request_take, body);
}

/* ------------------------------------------------------------------ DELETE */

void addresses_delete(Request *request_take, void *userdata)
{
    Addresses *addresses = userdata;
    _cleanup_(freep) char *owner = NULL; /* outlives the request, which may be answered from inside */
    Operation *operation;
    InAddr address;
    Part *part;

    if (!registrar_for(addresses, request_take) || !address_of(request_take, &address) ||
        !peer_may(addresses, request_take, 1))
        return;
    if (!owner_may(request_take, request_query(request_take, "owner"),
                   "?owner= is missing: whose address is given back"))
        return;
    owner = strdup(request_query(request_take, "owner"));
    if (!owner || operation_new(addresses, 1, &operation) < 0) {
        request_refuse(request_take, &error_memory);
        return;
    }

    operation_take(operation, request_take);
    part = &operation->parts[0];
    part->address = address;
    if (registrar_release(addresses->registrar, &address, owner, on_result, part, &part->wait) < 0)
        part_refuse(part, &error_memory);
    operation_start(operation);
}

/* ------------------------------------------------------------------ GET */

static int put_registration(Buf *text, const Registrar *registrar, const Registration *registration)
{
    const char *ifname = registrar_ifname(registrar, registration->network_interface_id);
    const char *assigned = !ifname                               ? ",\"assigned\":null"
                           : registration_is_there(registration) ? ",\"assigned\":true"
                                                                 : ",\"assigned\":false";
    char address[IN_ADDR_TEXT], since[TIME_ISO8601_MAX];

    if (json_put_member(text, "{\"address\":", in_addr_format(&registration->address, address)) < 0 ||
        (ifname ? json_put_member(text, ",\"interface\":", ifname) : buf_puts(text, ",\"interface\":null")) <
            0 ||
        json_put_member(text, ",\"eni_id\":", registration->network_interface_id) < 0 ||
        json_put_member(text, ",\"owner\":", registration->owner) < 0 ||
        json_put_member(text, ",\"state\":", registration_state_to_string(registration->state)) < 0 ||
        buf_puts(text, assigned) < 0 ||
        json_put_member(text, ",\"since\":", time_format_iso8601(registration->since, since)) < 0)
        return -ENOMEM;
    return buf_putc(text, '}');
}

static int put_registrations(Buf *text, const Registrar *registrar, const State *list, const char **separator)
{
    for (size_t i = 0; list && i < state_n(list); i++) {
        if (buf_puts(text, *separator) < 0 || put_registration(text, registrar, state_get(list, i)) < 0)
            return -ENOMEM;
        *separator = ",";
    }
    return 0;
}

/* {"addresses": [...]}, or NULL when out of memory; those on interfaces that are not there come last. */
static char *addresses_text(const Registrar *registrar)
{
    const State *state = registrar_state(registrar);
    const char *separator = "";
    _cleanup_buf_ Buf text = BUF_NULL;

    if (buf_puts(&text, "{\"addresses\":[") < 0 ||
        put_registrations(&text, registrar, state, &separator) < 0 ||
        put_registrations(&text, registrar, state_aside(state), &separator) < 0)
        return NULL;
    return buf_puts(&text, "]}") < 0 ? NULL : buf_take(&text);
}

void addresses_get(Request *request_take, void *userdata)
{
    const Addresses *addresses = userdata;
    char *text;

    if (!registrar_for(addresses, request_take))
        return;
    text = addresses_text(addresses->registrar);
    if (text)
        request_answer_text(request_take, 200, "application/json", text);
    else
        request_refuse(request_take, &error_memory);
}

/* ------------------------------------------------------------------ lifecycle */

int addresses_new(Addresses **ret)
{
    Addresses *addresses = calloc(1, sizeof(*addresses));

    if (!addresses)
        return -ENOMEM;
    *ret = addresses;
    return 0;
}

Addresses *addresses_free(Addresses *addresses)
{
    if (!addresses)
        return NULL;

    addresses_set_registrar(addresses, NULL);
    return mfree(addresses);
}

void addresses_set_registrar(Addresses *addresses, Registrar *registrar)
{
    addresses->registrar = registrar;
    while (!registrar && addresses->operations) {
        Operation *operation = addresses->operations;

        if (operation->request)
            request_refuse(TAKE_PTR(operation->request), &error_stopping);
        operation_free(operation);
    }
}
