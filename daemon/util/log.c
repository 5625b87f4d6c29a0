/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log. An entry is a priority, a text, an optional message id and fields. The journal takes them
 * as they are; on stderr a text entry shows only what a person needs, and a JSON entry shows all,
 * with the monotonic time, for programs that read along.
 *
 * Whether stderr is the journal's is told by $JOURNAL_STREAM, "device:inode" of the stream that
 * systemd connected (systemd.exec(5)): it is compared, since a child may inherit the variable and
 * have its stderr elsewhere.
 *
 * The target and level are the only process-wide state of the program.
 */

#include "util/log.h"
#include "util/buf.h"
#include "util/time.h"
#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LOG_FIELDS_MAX 24

static LogTarget log_target = LOG_TARGET_STDERR;
static int log_max_level = LOG_INFO;

static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_open(LogTarget target)
{
    if (target == LOG_TARGET_AUTO)
        target = stderr_is_journal() ? LOG_TARGET_JOURNAL : LOG_TARGET_STDERR;
    log_target = target;
}

int log_target_from_string(const char *s, LogTarget *ret)
{
    static const char *const names[] = {
        [LOG_TARGET_AUTO] = "auto",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_STDERR] = "stderr",
        [LOG_TARGET_JSON] = "json",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(names[i], s)) {
            *ret = (LogTarget)i;
            return 0;
        }
    return -EINVAL;
}

void log_set_max_level(int level)
{
    log_max_level = level;
}

int log_get_max_level(void)
{
    return log_max_level;
}

static const char *const level_names[] = {
    [LOG_ERR] = "err",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

int log_level_from_string(const char *s, int *ret)
{
    for (size_t i = LOG_ERR; i < ARRAY_SIZE(level_names); i++)
        if (streq(level_names[i], s)) {
            *ret = (int)i;
            return 0;
        }
    return -EINVAL;
}

const char *log_level_to_string(int level)
{
    assert(level >= LOG_ERR && level <= LOG_DEBUG);

    return level_names[level];
}

static void write_stderr(const Buf *line)
{
    /* Nowhere to report that stderr is gone. */
    ssize_t n _unused_ = write(STDERR_FILENO, line->data, line->n);
}

static void log_text(int level, const char *text)
{
    _cleanup_buf_ Buf line = BUF_NULL;

    if (buf_printf(&line, "%s%s%s\n", level <= LOG_WARNING ? log_level_to_string(level) : "",
                   level <= LOG_WARNING ? ": " : "", text) == 0)
        write_stderr(&line);
}

/* JSON is UTF-8: what is not, such as a text that was cut inside a character, is shown as far as it is ASCII.
 */
static json_t *json_text(const char *value)
{
    json_t *string = json_string(value);
    char *copy;

    if (string)
        return string;
    copy = strdup(value);
    for (char *c = copy; c && *c; c++)
        if (!isascii((unsigned char)*c))
            *c = '?';
    string = copy ? json_string(copy) : NULL;
    free(copy);
    return string;
}

static void log_json(const LogField *fields, size_t n_fields)
{
    _cleanup_buf_ Buf line = BUF_NULL;
    json_t *object = json_object();
    char *text;

    (void)json_object_set_new(object, "MONOTONIC_USEC", json_integer((json_int_t)time_monotonic()));
    for (size_t i = 0; i < n_fields; i++)
        (void)json_object_set_new(object, fields[i].name, json_text(fields[i].value));

    text = json_dumps(object, JSON_COMPACT);
    if (text && buf_printf(&line, "%s\n", text) == 0)
        write_stderr(&line);
    free(text);
    json_decref(object);
}

static void log_journal(const LogField *fields, size_t n_fields)
{
    struct iovec iov[LOG_FIELDS_MAX];
    Buf entries[LOG_FIELDS_MAX] = {0};
    int n = 0;

    for (size_t i = 0; i < n_fields; i++)
        if (buf_printf(&entries[n], "%s=%s", fields[i].name, fields[i].value) == 0) {
            iov[n] = (struct iovec){.iov_base = entries[n].data, .iov_len = entries[n].n};
            n++;
        }
    (void)sd_journal_sendv(iov, n);
    for (int i = 0; i < n; i++)
        buf_done(&entries[i]);
}

void log_full(int level, int error, const char *message_id, const LogField *fields, size_t n_fields,
              const char *format, ...)
{
    LogField all[LOG_FIELDS_MAX];
    char text[LOG_TEXT_MAX], priority[4], number[12];
    size_t n = 0;
    int saved_errno = errno;
    va_list ap;

    if (level > log_max_level)
        return;

    error = abs(error);
    errno = error; /* for %m */
    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    (void)snprintf(priority, sizeof(priority), "%d", level);
    (void)snprintf(number, sizeof(number), "%d", error);
    all[n++] = (LogField){"MESSAGE", text};
    all[n++] = (LogField){"PRIORITY", priority};
    all[n++] = (LogField){"SYSLOG_IDENTIFIER", program_invocation_short_name};
    if (message_id)
        all[n++] = (LogField){"MESSAGE_ID", message_id};
    if (error > 0)
        all[n++] = (LogField){"ERRNO", number};
    for (size_t i = 0; i < n_fields && n < LOG_FIELDS_MAX; i++)
        if (fields[i].value)
            all[n++] = fields[i];

    if (log_target == LOG_TARGET_JOURNAL)
        log_journal(all, n);
    else if (log_target == LOG_TARGET_JSON)
        log_json(all, n);
    else
        log_text(level, text);
    errno = saved_errno;
}
