/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SHA-256 through OpenSSL's one-shot functions.
 */

#include "util/sha256.h"
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int sha256(const void *data, size_t n, uint8_t ret[static SHA256_SIZE])
{
    return EVP_Digest(data, n, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int sha256_hmac(const void *key, size_t n_key, const void *data, size_t n, uint8_t ret[static SHA256_SIZE])
{
    assert(n_key <= INT_MAX);

    return HMAC(EVP_sha256(), key, (int)n_key, data, n, ret, NULL) ? 0 : -EIO;
}

char *sha256_format(const uint8_t digest[static SHA256_SIZE], char buf[static SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_SIZE; i++) {
        buf[2 * i] = digits[digest[i] >> 4];
        buf[2 * i + 1] = digits[digest[i] & 0xf];
    }
    buf[SHA256_TEXT - 1] = '\0';
    return buf;
}
