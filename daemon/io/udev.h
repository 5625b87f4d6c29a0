#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Whether udev has finished with a network device. */

#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Udev Udev;

/* A device was processed by udev for any action but remove. */
typedef void (*UdevHandler)(int ifindex, void *userdata);

/**
 * udev_new() - listen to udev's own messages about network devices
 *
 * Return: 0; -ENOENT when no udev runs here (no /run/udev/control: a namespace or a container), in
 * which case nobody has to be waited for; or an errno of sd-device and sd-event.
 */
int udev_new(Udev **ret, sd_event *event, UdevHandler handler, void *userdata);

/** udev_free() - NULL is fine; returns NULL */
Udev *udev_free(Udev *udev);

/**
 * udev_is_initialized() - whether udev's database has the device (sd_device_get_is_initialized())
 *
 * Return: 1, 0, or -ENODEV when it is not found: gone, or being renamed at this moment.
 */
int udev_is_initialized(Udev *udev, int ifindex);

DEFINE_CLEANUP(Udev, udev_free)
