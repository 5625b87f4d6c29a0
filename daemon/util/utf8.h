#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Text of others that is told on: JSON and the journal take UTF-8 alone. */

#include "util/macro.h"

/**
 * utf8_clean() - make a text UTF-8, in place
 *
 * A byte that belongs to no character becomes "?"; a character whose end is missing at the end of the text
 * goes.
 */
void utf8_clean(char *s);

/** utf8_is_clean() - whether a text is UTF-8 */
bool utf8_is_clean(const char *s);

/** utf8_cut() - how many bytes, max at most, the text may be cut to so that no character is */
size_t utf8_cut(const char *s, size_t max);
