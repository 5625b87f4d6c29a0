#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The daemon's unit, as systemd sees it. */

#include "root.h"
#include "util/macro.h"

/**
 * service_is_down() - whether the daemon has ended, and nobody is about to start it
 * @root: whose daemon; of another host's nothing is known
 * @ret_state: "failed" or "inactive", static; untouched unless it is down
 *
 * To connect to its socket would have systemd start it, and it would make interfaces: whoever only wants
 * to look asks here first.
 *
 * Return: true; false also where systemd cannot be asked.
 */
bool service_is_down(const Root *root, const char **ret_state);
