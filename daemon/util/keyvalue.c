/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Key and value pairs in the order they were given: AWS allows 50 tags on a resource, and a query
 * has some dozens of parameters, so look-ups walk the list.
 */

#include "util/keyvalue.h"
#include <errno.h>

void keyvalue_list_done(KeyValueList *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].key);
        free(list->items[i].value);
    }
    free(list->items);
    *list = KEYVALUE_LIST_NULL;
}

int keyvalue_list_append(KeyValueList *list, const char *key, const char *value)
{
    _cleanup_(freep) char *k = NULL;
    _cleanup_(freep) char *v = NULL;
    KeyValue *items;

    k = strdup(key);
    v = strdup(value);
    if (!k || !v)
        return -ENOMEM;

    items = reallocarray(list->items, list->n + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    list->items = items;

    items[list->n++] = (KeyValue){.key = TAKE_PTR(k), .value = TAKE_PTR(v)};
    return 0;
}

static KeyValue *keyvalue_list_find(const KeyValueList *list, const char *key)
{
    for (size_t i = 0; i < list->n; i++)
        if (streq(list->items[i].key, key))
            return &list->items[i];
    return NULL;
}

int keyvalue_list_set(KeyValueList *list, const char *key, const char *value)
{
    KeyValue *pair = keyvalue_list_find(list, key);

    if (pair)
        return replace_string(&pair->value, value);
    return keyvalue_list_append(list, key, value);
}

int keyvalue_list_copy(const KeyValueList *list, KeyValueList *ret)
{
    _cleanup_keyvalue_list_ KeyValueList copy = KEYVALUE_LIST_NULL;
    int r;

    for (size_t i = 0; i < list->n; i++) {
        r = keyvalue_list_append(&copy, list->items[i].key, list->items[i].value);
        if (r < 0)
            return r;
    }

    *ret = copy;
    copy = KEYVALUE_LIST_NULL;
    return 0;
}

const char *keyvalue_list_get(const KeyValueList *list, const char *key)
{
    const KeyValue *pair = keyvalue_list_find(list, key);

    return pair ? pair->value : NULL;
}
