#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Configuration, metadata, tags and subnets to the interfaces this node should have. Pure. */

#include "plan/model.h"
#include "util/buf.h"

/**
 * desired_compute() - decide which interfaces this node should have
 * @ret: owned by the caller; none at all is a valid answer
 * @notes: remarks for the log, one a line: subnets passed over because of their zone, …; may be NULL
 * @errors: all mistakes, one a line: what, where, what to do
 *
 * Return: 0; -EINVAL with errors; -ENOMEM.
 */
int desired_compute(const Facts *facts, Desired **ret, Buf *notes, Buf *errors);
Desired *desired_free(Desired *desired);

/** desired_describe_kept() - append why interfaces stay, which, and what to do; nothing: none; 0 or -ENOMEM
 */
int desired_describe_kept(const Facts *facts, const Desired *desired, Buf *text);

DEFINE_CLEANUP(Desired, desired_free)
