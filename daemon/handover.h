#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What other programs of the node are told of its interfaces before they start. */

#include "manager.h"

/**
 * handover_all() - write the files of nodeadm and of the device plugin
 *
 * Before READY=1. What cannot be written is logged and does not end the boot.
 */
void handover_all(const Manager *manager);

/** handover_devices() - the device plugin's alone, after the boot, when a device was bound anew */
void handover_devices(const Manager *manager);
