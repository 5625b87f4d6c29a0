#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Configuration that travels in tags. Pure. */

#include "input/config.h"
#include "util/buf.h"
#include "util/keyvalue.h"

/**
 * tags_apply() - set the keys of [network] that the tags carry over what network holds
 * @prefix: "multus-eks:"; key "multus-eks:ip-allocation" is ip_allocation of the file
 * @owner: "instance i-…" or "Auto Scaling group …", for messages
 *
 * A value of more than 256 characters is spread over KEY, KEY.2, KEY.3 …, which are joined with a
 * comma between (parts of a list) and must have no gap. Keys under the prefix that other parts of the
 * program own (instance-id, network, nodegroup, created, device-index) are passed over.
 *
 * Return: 0; -EINVAL with a line for each mistake appended to errors; -ENOMEM.
 */
int tags_apply(NetworkConfig *network, const KeyValueList *tags, const char *prefix, const char *owner,
               Buf *errors);
