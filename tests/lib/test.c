/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeps the archive of test helpers from being empty.
 */

#include "lib/test.h"
