#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Where in a record each element of a reply goes: tables that decode.c walks. Private to aws/. */

#include "aws/codec.h"
#include "util/macro.h"

#define SCHEMA_ITEMS_MAX   ((size_t)10000)
#define SCHEMA_SCRATCH_MAX ((size_t)64)

typedef struct Field Field;

typedef enum FieldKind {
    FIELD_LEAF,  /* text: convert() writes it to the record at offset */
    FIELD_GROUP, /* an element around others, of the same record at offset */
    FIELD_ITEM,  /* appends a record to an array at offset, its count at n_offset */
    FIELD_MERGE, /* a group that is collected in a scratch record and judged at its end */
} FieldKind;

/* Tables end with an element of NULL. Elements that no table names are skipped with all below. */
struct Field {
    const char *element;
    FieldKind kind;
    size_t offset;
    int (*convert)(const char *text, void *at);       /* 0, -EBADMSG, -ENOMEM */
    const Field *fields;                              /* of what is inside */
    size_t n_offset;                                  /* ITEM */
    size_t size;                                      /* ITEM: of one record */
    int (*finish)(void *record);                      /* ITEM: a last look; 0, -EBADMSG, -ENOMEM */
    void (*merge)(void *record, const void *scratch); /* MERGE */
};

/** schema_reply() - table of the children of an action's root element, for AwsRecords; NULL: no such action
 */
const Field *schema_reply(AwsService service, const char *action);

/** schema_error() - table for AwsErrorReply, by the root element's name; NULL: not an error */
const Field *schema_error(const char *root);
