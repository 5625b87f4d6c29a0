#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Other programs: what they say and how they end. */

#include "root.h"
#include "util/buf.h"
#include "util/macro.h"
#include "util/time.h"

/**
 * run_program() - start a program, wait for its end
 * @root: where its path, its libraries and everything else it opens are looked up
 * @argv: NULL-terminated; the program by its path, or by a name that is looked for in PATH
 * @timeout: it is killed then
 * @output: what it wrote to standard output and standard error is appended, as far as 64 KiB
 * @ret_status: exit status; 128 and the signal's number when a signal ended it
 *
 * Return: 0; -ETIMEDOUT; -ENOMEM; or the errno of chroot(), execvp() and of what comes before them.
 */
int run_program(const Root *root, const char *const *argv, usec_t timeout, Buf *output, int *ret_status);
