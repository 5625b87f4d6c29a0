#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The table of keys of [network] and [network NAME]; for input/ only, config.h is what others use. */

#include "input/config.h"
#include "input/value.h"

#define NETWORK_SECTION_MAX 80 /* "network " and a name of 63 */

extern const Key network_keys[];
extern const size_t n_network_keys;

/** network_config_init() - the built-in defaults; 0 or -ENOMEM */
int network_config_init(NetworkConfig *network);

/** network_config_section() - "network" or "network NAME" into ret; its length */
int network_config_section(const NetworkConfig *network, char ret[static NETWORK_SECTION_MAX]);
