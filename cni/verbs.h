#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What each command of the CNI does with the daemon. */

#include "cni/input.h"

/**
 * verb_run() - do what input.command says
 * @ret_output: what is to be printed, of the caller; NULL for nothing
 *
 * Return: 0; or -EPROTO with *ret_error filled in.
 */
int verb_run(const Input *input, json_t **ret_output, CniError *ret_error);
