/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which keys of IMDS are asked, in which order, and what becomes of them.
 *
 * First round, at once: the identity document, the primary MAC, the partition's domain, the user data. Second
 * round: the VPC, which is filed under the MAC. A table holds the keys; the fetch counts what is pending and
 * goes on when nothing is.
 *
 * Only what does not change while the instance lives is taken from IMDS. It lags behind EC2 by up to
 * half a minute for interfaces attached later, and is never asked about those.
 *
 * An error is never taken for an absence: a 404 is one only for keys that may be absent.
 */

#include "input/metadata.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#define N_ITEMS_MAX       5
#define DOCUMENT_MAX      ((size_t)64 << 10)
#define TEXT_MAX          ((size_t)256) /* of one value */
#define IDENTITY_PATH     "dynamic/instance-identity/document"
#define MACS_PATH         "meta-data/network/interfaces/macs/"
#define IMDS_FAILURE_HINT "check that IMDS is enabled for the instance, and that no firewall rule blocks it"

typedef enum FetchState {
    FETCH_FIRST,  /* everything that needs nothing */
    FETCH_SECOND, /* what is filed under the MAC */
    FETCH_DONE,   /* the handler was called */
} FetchState;

/* One key: where it is and who reads it. */
typedef struct Item {
    const char *path;
    int (*decode)(const char *body, size_t n, Metadata *metadata);
    bool optional; /* a 404 is an answer */
} Item;

typedef struct ItemGet {
    MetadataFetch *fetch;
    const Item *item;
    ImdsGet *get;
} ItemGet;

struct MetadataFetch {
    Imds *imds;
    usec_t deadline;
    FetchState state;
    Metadata *metadata;
    ItemGet gets[N_ITEMS_MAX];
    size_t n_gets;
    size_t n_pending;
    MetadataHandler handler;
    void *userdata;
};

/* ------------------------------------------------------------------ values */

/* One word: these become parts of requests, paths and host names. */
static int take_word(const char *text, size_t n, char **field)
{
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        n--;
    if (n == 0 || n > TEXT_MAX)
        return -EBADMSG;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '/')
            return -EBADMSG;

    free(*field);
    *field = strndup(text, n);
    return *field ? 0 : -ENOMEM;
}

static int take_member(const json_t *root, const char *name, char **field)
{
    const json_t *value = json_object_get(root, name);

    if (!json_is_string(value))
        return -EBADMSG;
    return take_word(json_string_value(value), json_string_length(value), field);
}

int metadata_decode_identity(const char *json, size_t n, Metadata *metadata)
{
    json_t *root;
    int r;

    if (n > DOCUMENT_MAX)
        return -EBADMSG;
    root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        return -EBADMSG;

    r = take_member(root, "instanceId", &metadata->instance_id);
    if (r >= 0)
        r = take_member(root, "instanceType", &metadata->instance_type);
    if (r >= 0)
        r = take_member(root, "availabilityZone", &metadata->availability_zone);
    if (r >= 0)
        r = take_member(root, "region", &metadata->region);
    if (r >= 0)
        r = take_member(root, "accountId", &metadata->account_id);
    json_decref(root);
    return r;
}

static int decode_mac(const char *body, size_t n, Metadata *metadata)
{
    _cleanup_(freep) char *text = NULL;
    int r;

    r = take_word(body, n, &text);
    if (r < 0)
        return r;
    return mac_addr_parse(text, &metadata->primary_mac) < 0 ? -EBADMSG : 0;
}

static int decode_domain(const char *body, size_t n, Metadata *metadata)
{
    return take_word(body, n, &metadata->domain);
}

/* For what the user tells other programs by it, as text. One that is compressed ends at its first NUL. */
static int decode_user_data(const char *body, size_t n, Metadata *metadata)
{
    free(metadata->user_data);
    metadata->user_data = strndup(body, n);
    return metadata->user_data ? 0 : -ENOMEM;
}

static int decode_vpc_id(const char *body, size_t n, Metadata *metadata)
{
    return take_word(body, n, &metadata->vpc_id);
}

/* ------------------------------------------------------------------ the end */

static void fetch_cancel_gets(MetadataFetch *fetch)
{
    for (size_t i = 0; i < fetch->n_gets; i++)
        fetch->gets[i].get = imds_get_free(fetch->gets[i].get);
    fetch->n_gets = 0;
    fetch->n_pending = 0;
}

/* The only way to end badly; nothing may follow, the handler may have freed the fetch. */
static void fetch_fail(MetadataFetch *fetch, int error, const char *path, const char *how)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "IMDS %s: %s; " IMDS_FAILURE_HINT, path, how);
    fetch_cancel_gets(fetch);
    fetch->state = FETCH_DONE;
    fetch->handler(error, text, NULL, fetch->userdata);
}

static void fetch_start_second(MetadataFetch *fetch);

static void fetch_on_round_done(MetadataFetch *fetch)
{
    fetch_cancel_gets(fetch);
    switch (fetch->state) {
    case FETCH_FIRST: fetch_start_second(fetch); break;
    case FETCH_SECOND:
        fetch->state = FETCH_DONE;
        fetch->handler(0, "", TAKE_PTR(fetch->metadata), fetch->userdata);
        break;
    case FETCH_DONE: assert(false);
    }
}

/* ------------------------------------------------------------------ one answer */

static void on_item(const ImdsReply *reply, void *userdata)
{
    ItemGet *item_get = userdata;
    MetadataFetch *fetch = item_get->fetch;
    const Item *item = item_get->item;
    int r;

    if (reply->error < 0 && !(reply->error == -ENOENT && item->optional)) {
        fetch_fail(fetch, reply->error, item->path, reply->text);
        return;
    }
    if (reply->error == 0) {
        r = item->decode(reply->body, reply->n_body, fetch->metadata);
        if (r < 0) {
            fetch_fail(fetch, r, item->path,
                       r == -ENOMEM ? "out of memory" : "the answer is not what this key holds on EC2");
            return;
        }
    }

    assert(fetch->n_pending > 0);
    if (--fetch->n_pending == 0)
        fetch_on_round_done(fetch);
}

static int fetch_ask(MetadataFetch *fetch, const Item *item, const char *path)
{
    ItemGet *item_get = &fetch->gets[fetch->n_gets];
    int r;

    assert(fetch->n_gets < N_ITEMS_MAX);
    *item_get = (ItemGet){.fetch = fetch, .item = item};
    r = imds_get(fetch->imds, path, fetch->deadline, on_item, item_get, &item_get->get);
    if (r < 0)
        return r;
    fetch->n_gets++;
    fetch->n_pending++;
    return 0;
}

static int fetch_start_first(MetadataFetch *fetch)
{
    static const Item items[] = {
        {IDENTITY_PATH, metadata_decode_identity, false},
        {"meta-data/mac", decode_mac, false},
        {"meta-data/services/domain", decode_domain, false},
        {"user-data", decode_user_data, true},
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(items) && r >= 0; i++)
        r = fetch_ask(fetch, &items[i], items[i].path);
    return r;
}

static void fetch_start_second(MetadataFetch *fetch)
{
    static const Item vpc = {MACS_PATH "MAC/vpc-id", decode_vpc_id, false};
    char path[sizeof(MACS_PATH) + MAC_ADDR_TEXT + sizeof("/vpc-id")], mac[MAC_ADDR_TEXT];
    int r;

    fetch->state = FETCH_SECOND;
    (void)snprintf(path, sizeof(path), MACS_PATH "%s/vpc-id",
                   mac_addr_format(&fetch->metadata->primary_mac, mac));
    r = fetch_ask(fetch, &vpc, path);
    if (r < 0)
        fetch_fail(fetch, r, vpc.path, "out of memory");
}

int metadata_fetch(Imds *imds, usec_t deadline, MetadataHandler handler, void *userdata, MetadataFetch **ret)
{
    _cleanup_(metadata_fetch_freep) MetadataFetch *fetch = NULL;
    int r;

    fetch = calloc(1, sizeof(*fetch));
    if (!fetch)
        return -ENOMEM;
    *fetch = (MetadataFetch){
        .imds = imds,
        .deadline = deadline,
        .state = FETCH_FIRST,
        .metadata = calloc(1, sizeof(Metadata)),
        .handler = handler,
        .userdata = userdata,
    };
    if (!fetch->metadata)
        return -ENOMEM;
    r = fetch_start_first(fetch);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(fetch);
    return 0;
}

MetadataFetch *metadata_fetch_free(MetadataFetch *fetch)
{
    if (!fetch)
        return NULL;

    fetch_cancel_gets(fetch);
    (void)metadata_free(fetch->metadata);
    return mfree(fetch);
}

Metadata *metadata_free(Metadata *metadata)
{
    if (!metadata)
        return NULL;

    free(metadata->instance_id);
    free(metadata->instance_type);
    free(metadata->availability_zone);
    free(metadata->region);
    free(metadata->account_id);
    free(metadata->domain);
    free(metadata->vpc_id);
    free(metadata->user_data);
    return mfree(metadata);
}
