#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* SHA-256 and HMAC-SHA-256 by OpenSSL. */

#include "util/macro.h"

#define SHA256_SIZE 32
#define SHA256_TEXT (2 * SHA256_SIZE + 1)

/** sha256() - digest of n bytes; 0, or -EIO when libcrypto refuses */
int sha256(const void *data, size_t n, uint8_t ret[static SHA256_SIZE]);

/** sha256_hmac() - HMAC-SHA-256 (RFC 2104); 0, or -EIO when libcrypto refuses */
int sha256_hmac(const void *key, size_t n_key, const void *data, size_t n, uint8_t ret[static SHA256_SIZE]);

/** sha256_format() - lower-case hexadecimal into buf, which is returned */
char *sha256_format(const uint8_t digest[static SHA256_SIZE], char buf[static SHA256_TEXT]);
