#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* cmocka with the headers it wants, for every unit test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
