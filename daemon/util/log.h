#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Structured log to the journal, or to stderr where there is none. */

#include "util/macro.h"
#include <errno.h>
#include <syslog.h>

/* A text is cut here. EC2's UnauthorizedOperation alone brings a message of more than a thousand bytes. */
#define LOG_TEXT_MAX 4096

typedef enum LogTarget {
    LOG_TARGET_AUTO,    /* journal when stderr is connected to it, else stderr */
    LOG_TARGET_JOURNAL, /* sd_journal_sendv() */
    LOG_TARGET_STDERR,  /* one line of text an entry */
    LOG_TARGET_JSON,    /* one JSON object a line on stderr, with every field */
} LogTarget;

/* One structured field. A NULL value is left out of the entry. */
typedef struct LogField {
    const char *name;
    const char *value;
} LogField;

/** log_open() - choose the target; LOG_TARGET_STDERR until called */
void log_open(LogTarget target);

/** log_target_from_string() - "auto", "journal", "stderr", "json"; 0 or -EINVAL */
int log_target_from_string(const char *s, LogTarget *ret);

/** log_set_max_level() - drop what is less urgent than level (LOG_ERR .. LOG_DEBUG); LOG_INFO until called */
void log_set_max_level(int level);

/** log_get_max_level() - the level set */
int log_get_max_level(void);

/** log_level_from_string() - "debug", "info", "notice", "warning", "err"; 0 or -EINVAL */
int log_level_from_string(const char *s, int *ret);

/** log_level_to_string() - the name of a level */
const char *log_level_to_string(int level);

/**
 * log_full() - write one entry
 * @level: LOG_ERR .. LOG_DEBUG
 * @error: errno value, positive or negative, for ERRNO=; 0 for none. %m in format prints it.
 * @message_id: 128-bit id of message-ids.h for MESSAGE_ID=, or NULL
 * @fields, @n_fields: further fields
 *
 * errno is left as it was.
 */
void log_full(int level, int error, const char *message_id, const LogField *fields, size_t n_fields,
              const char *format, ...) _printf_(6, 7);

#define log_at(_level, _error, _id, ...)                                                                     \
    ({                                                                                                       \
        if ((_level) <= log_get_max_level())                                                                 \
            log_full((_level), (_error), (_id), NULL, 0, __VA_ARGS__);                                       \
    })

#define log_debug(...)                 log_at(LOG_DEBUG, 0, NULL, __VA_ARGS__)
#define log_info(...)                  log_at(LOG_INFO, 0, NULL, __VA_ARGS__)
#define log_notice(...)                log_at(LOG_NOTICE, 0, NULL, __VA_ARGS__)
#define log_warning(...)               log_at(LOG_WARNING, 0, NULL, __VA_ARGS__)
#define log_error(...)                 log_at(LOG_ERR, 0, NULL, __VA_ARGS__)
#define log_debug_errno(_error, ...)   log_at(LOG_DEBUG, (_error), NULL, __VA_ARGS__)
#define log_warning_errno(_error, ...) log_at(LOG_WARNING, (_error), NULL, __VA_ARGS__)
#define log_error_errno(_error, ...)   log_at(LOG_ERR, (_error), NULL, __VA_ARGS__)
