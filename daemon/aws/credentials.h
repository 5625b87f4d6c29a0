#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The instance role's credentials, refreshed before they expire. */

#include "aws/imds.h"
#include "util/macro.h"
#include "util/time.h"

typedef struct Credentials Credentials;
typedef struct CredentialsWait CredentialsWait;

typedef struct AwsKeys {
    char *access_key_id;
    char *secret_access_key;
    char *session_token;
    usec_t expiration; /* CLOCK_REALTIME */
} AwsKeys;

/* error: 0; -ENOENT: the instance has no role; -EACCES, -EBADMSG, else as imds_get(). keys is valid during
 * the call. */
typedef void (*CredentialsHandler)(int error, const char *text, const AwsKeys *keys, void *userdata);

/** credentials_new() - nothing is fetched before it is asked for: an idle daemon stays idle */
int credentials_new(Credentials **ret, sd_event *event, Imds *imds);
Credentials *credentials_free(Credentials *credentials);

/**
 * credentials_get() - keys that are good for five more minutes
 *
 * Cached keys are answered from the loop at once; concurrent callers share one fetch.
 */
int credentials_get(Credentials *credentials, usec_t deadline, CredentialsHandler handler, void *userdata,
                    CredentialsWait **ret);
CredentialsWait *credentials_wait_free(CredentialsWait *wait);

/** credentials_invalidate() - the service called them expired: fetch anew when next asked */
void credentials_invalidate(Credentials *credentials);

/** credentials_role() - name of the role once known, or NULL */
const char *credentials_role(const Credentials *credentials);

/** credentials_decode() - the JSON of iam/security-credentials/<role>. Pure. 0; -EACCES with Code != Success;
 * -EBADMSG; -ENOMEM */
int credentials_decode(const char *json, size_t n, AwsKeys *ret);

/** aws_keys_done() - wipe and free */
void aws_keys_done(AwsKeys *keys);

DEFINE_CLEANUP(Credentials, credentials_free)
DEFINE_CLEANUP(CredentialsWait, credentials_wait_free)
