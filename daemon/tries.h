#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* How often in a row the boot of this host has failed: a file below /run, which goes with the host's boot. */

#include <stdbool.h>

/** TRIES_MAX - systemd starts the daemon again after fewer failures than these */
#define TRIES_MAX 5

/**
 * tries_failed() - count one more failure
 * @runtime_dir: "/run/multus-eks"
 *
 * With TRIES_MAX the count begins anew: whoever starts the daemon then does so on purpose, and gets as many.
 * A count that cannot be read is none; one that cannot be written is logged at debug level.
 *
 * Return: which failure this was, 1 .. TRIES_MAX.
 */
unsigned tries_failed(const char *runtime_dir);

/** tries_any() - whether an earlier try in this row has failed */
bool tries_any(const char *runtime_dir);

/** tries_forget() - the boot has come to its end */
void tries_forget(const char *runtime_dir);
