/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two JSON documents of the metadata service, both read from the same bytes.
 */

#include "aws/credentials.h"
#include "input/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Metadata *metadata = calloc(1, sizeof(*metadata));
    AwsKeys keys;

    if (metadata && metadata_decode_identity((const char *)data, n, metadata) == 0)
        assert(metadata->instance_id && metadata->region && metadata->availability_zone);
    (void)metadata_free(metadata);

    if (credentials_decode((const char *)data, n, &keys) == 0) {
        assert(keys.access_key_id && keys.secret_access_key && keys.session_token);
        aws_keys_done(&keys);
    }
    return 0;
}
