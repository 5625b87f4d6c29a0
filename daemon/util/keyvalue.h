#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* An ordered list of key and value pairs that owns them: tags, query parameters. */

#include "util/macro.h"

typedef struct KeyValue {
    char *key;
    char *value;
} KeyValue;

typedef struct KeyValueList {
    KeyValue *items;
    size_t n;
} KeyValueList;

#define KEYVALUE_LIST_NULL ((KeyValueList){0})

/** keyvalue_list_done() - free the pairs; the list is empty and usable afterwards */
void keyvalue_list_done(KeyValueList *list);

/** keyvalue_list_append() - append a copy of the pair, duplicates allowed; 0 or -ENOMEM */
int keyvalue_list_append(KeyValueList *list, const char *key, const char *value);

/** keyvalue_list_set() - replace the pair of that key, or append it; 0 or -ENOMEM */
int keyvalue_list_set(KeyValueList *list, const char *key, const char *value);

/** keyvalue_list_copy() - deep copy; *ret is written on success only; 0 or -ENOMEM */
int keyvalue_list_copy(const KeyValueList *list, KeyValueList *ret);

/** keyvalue_list_get() - value of the first pair with that key, owned by the list, or NULL */
const char *keyvalue_list_get(const KeyValueList *list, const char *key);

#define _cleanup_keyvalue_list_ _cleanup_(keyvalue_list_done)
