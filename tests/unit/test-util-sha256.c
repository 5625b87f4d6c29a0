/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SHA-256 and HMAC against the published vectors (FIPS 180-4 examples, RFC 4231).
 */

#include "lib/test.h"
#include "util/sha256.h"

static void test_digest(void **state)
{
    uint8_t digest[SHA256_SIZE];
    char text[SHA256_TEXT];

    (void)state;
    assert_int_equal(sha256("", 0, digest), 0);
    assert_string_equal(sha256_format(digest, text),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(sha256("abc", 3, digest), 0);
    assert_string_equal(sha256_format(digest, text),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_hmac(void **state)
{
    static const char data[] = "what do ya want for nothing?";
    uint8_t digest[SHA256_SIZE];
    char text[SHA256_TEXT];

    (void)state;
    assert_int_equal(sha256_hmac("Jefe", 4, data, sizeof(data) - 1, digest), 0);
    assert_string_equal(sha256_format(digest, text),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_hmac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
