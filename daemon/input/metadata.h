#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What the instance knows of itself from IMDS. */

#include "aws/imds.h"
#include "util/inaddr.h"
#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Metadata {
    char *instance_id;
    char *instance_type;
    char *availability_zone;
    char *region;
    char *account_id;
    char *domain;    /* services/domain: "amazonaws.com", "amazonaws.com.cn" … */
    char *vpc_id;    /* of the primary interface */
    char *user_data; /* up to its first NUL; NULL when there is none */
    MacAddr primary_mac;
} Metadata;

typedef struct MetadataFetch MetadataFetch;

/* error: 0 with metadata, owned by the callee; else negative, text says which path failed and how. */
typedef void (*MetadataHandler)(int error, const char *text, Metadata *metadata_take, void *userdata);

/**
 * metadata_fetch() - ask for everything, at once where one answer does not need another
 *
 * Return: 0, -ENOMEM. The handler is called once from the loop unless the fetch is freed before.
 */
int metadata_fetch(Imds *imds, usec_t deadline, MetadataHandler handler, void *userdata, MetadataFetch **ret);
MetadataFetch *metadata_fetch_free(MetadataFetch *fetch);

/** metadata_decode_identity() - the fields that dynamic/instance-identity/document has. Pure. 0, -EBADMSG,
 * -ENOMEM */
int metadata_decode_identity(const char *json, size_t n, Metadata *metadata);

Metadata *metadata_free(Metadata *metadata);

DEFINE_CLEANUP(Metadata, metadata_free)
DEFINE_CLEANUP(MetadataFetch, metadata_fetch_free)
