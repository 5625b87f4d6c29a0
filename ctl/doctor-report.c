/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The report. Whoever reads it at night wants to know what is wrong and what to type: so the table has
 * one short line a check, and what to do comes last, where the prompt is, in the order of urgency.
 */

#include "doctor-report.h"
#include "table.h"
#include "util/json.h"
#include <errno.h>
#include <stdarg.h>

#define LINE_WIDTH ((size_t)96)
#define INDENT     "    "

typedef struct Result {
    DoctorStatus status;
    char *name;
    char *what;
    char *advice; /* or NULL */
    char *detail; /* or NULL */
} Result;

struct DoctorReport {
    Result *results;
    size_t n;
    int error;
};

int doctor_report_new(DoctorReport **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

DoctorReport *doctor_report_free(DoctorReport *report)
{
    for (size_t i = 0; report && i < report->n; i++) {
        free(report->results[i].name);
        free(report->results[i].what);
        free(report->results[i].advice);
        free(report->results[i].detail);
    }
    if (report)
        free(report->results);
    return mfree(report);
}

void doctor_add(DoctorReport *report, DoctorStatus status, const char *name, const char *advice,
                const char *format, ...)
{
    Result *results = reallocarray(report->results, report->n + 1, sizeof(*results)), *result;
    va_list arguments;
    int n;

    if (!results) {
        report->error = -ENOMEM;
        return;
    }
    report->results = results;
    result = &results[report->n++];
    *result = (Result){.status = status, .name = strdup(name)};

    va_start(arguments, format);
    n = vasprintf(&result->what, format, arguments);
    va_end(arguments);
    if (n < 0)
        result->what = NULL;
    if (!result->name || !result->what || replace_string(&result->advice, advice) < 0)
        report->error = -ENOMEM;
}

void doctor_add_lines(DoctorReport *report, DoctorStatus status, const char *name, const char *advice,
                      const char *lines)
{
    size_t first = strcspn(lines, "\n"), n = 0;
    char more[40] = "";

    for (const char *c = lines; *c; c++)
        n += *c == '\n' && c[1] != '\0';
    if (n > 0)
        (void)snprintf(more, sizeof(more), " (and %zu more)", n);
    doctor_add(report, status, name, advice, "%.*s%s", (int)first, lines, more);
    if (n > 0)
        doctor_add_detail(report, lines);
}

void doctor_add_detail(DoctorReport *report, const char *detail)
{
    if (report->n > 0 && replace_string(&report->results[report->n - 1].detail, detail) < 0)
        report->error = -ENOMEM;
}

int doctor_report_status(const DoctorReport *report)
{
    DoctorStatus worst = DOCTOR_OK;

    if (report->error < 0)
        return report->error;
    for (size_t i = 0; i < report->n; i++)
        if (report->results[i].status != DOCTOR_SKIPPED)
            worst = MAX(worst, report->results[i].status);
    return (int)worst;
}

static size_t count(const DoctorReport *report, DoctorStatus status)
{
    size_t n = 0;

    for (size_t i = 0; i < report->n; i++)
        n += report->results[i].status == status;
    return n;
}

static const char *const status_names[_DOCTOR_STATUS_MAX] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_SKIPPED] = "skipped",
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_FAIL] = "fail",
};

/* ------------------------------------------------------------ for people */

/* Words up to the width, n bytes of them. */
static void print_paragraph(const char *text, size_t n, FILE *file)
{
    const char *end = text + n;
    size_t column = 0, word;

    for (; text < end; text += word + strspn(text + word, " ")) {
        word = MIN(strcspn(text, " \n"), (size_t)(end - text));
        if (column > 0 && column + 1 + word > LINE_WIDTH - strlen(INDENT)) {
            fputc('\n', file);
            column = 0;
        }
        fputs(column > 0 ? " " : INDENT, file);
        (void)fwrite(text, 1, word, file);
        column += word + (column > 0);
    }
    fputc('\n', file);
}

/* Lines that begin with spaces are to be typed or copied, and so are not taken apart. */
static void print_text(const char *text, FILE *file)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        if (*text == ' ')
            fprintf(file, INDENT "%.*s\n", (int)n, text);
        else
            print_paragraph(text, n, file);
        text += n + (text[n] == '\n');
    }
}

static bool has_advice(const Result *result, DoctorStatus status, const char *advice)
{
    return result->status == status && result->advice && streq(result->advice, advice);
}

/* What one piece of advice mends is listed above it, however many checks that is. */
static void print_advice(const DoctorReport *report, DoctorStatus status, FILE *file)
{
    for (size_t i = 0; i < report->n; i++) {
        const char *advice = report->results[i].advice;
        size_t first = 0;

        if (report->results[i].status != status || !advice)
            continue;
        while (!has_advice(&report->results[first], status, advice))
            first++;
        if (first < i)
            continue;

        fputc('\n', file);
        for (size_t j = i; j < report->n; j++)
            if (has_advice(&report->results[j], status, advice))
                fprintf(file, "%s: %s: %s\n", status == DOCTOR_FAIL ? "FAIL" : "warning",
                        report->results[j].name, report->results[j].what);
        print_text(advice, file);
        if (report->results[i].detail)
            print_text(report->results[i].detail, file);
    }
}

void doctor_report_print_table(const DoctorReport *report, FILE *file)
{
    static const char *const headings[] = {"RESULT", "CHECK", "FOUND"};
    _cleanup_(table_freep) Table *table = NULL;
    size_t n_fail = count(report, DOCTOR_FAIL), n_warning = count(report, DOCTOR_WARNING);
    int r;

    r = table_new(&table, headings, ARRAY_SIZE(headings));
    for (size_t i = 0; r == 0 && i < report->n; i++) {
        const Result *result = &report->results[i];

        r = table_add(table, result->status == DOCTOR_FAIL ? "FAIL" : status_names[result->status]);
        if (r == 0)
            r = table_add(table, result->name);
        if (r == 0)
            r = table_add(table, result->what);
    }
    if (r < 0)
        return;
    table_print(table, file);

    print_advice(report, DOCTOR_WARNING, file);
    print_advice(report, DOCTOR_FAIL, file);
    if (n_fail == 0 && n_warning == 0)
        fprintf(file, "\nNothing wrong was found; %zu checks were skipped.\n", count(report, DOCTOR_SKIPPED));
    else
        fprintf(file, "\n%zu failed, %zu warning%s, %zu skipped, %zu ok.\n", n_fail, n_warning,
                n_warning == 1 ? "" : "s", count(report, DOCTOR_SKIPPED), count(report, DOCTOR_OK));
}

/* ------------------------------------------------------------ for scripts */

void doctor_report_print_json(const DoctorReport *report, const char *mode, FILE *file)
{
    _cleanup_json_ json_t *root = NULL;
    json_t *checks = json_array(), *counts = json_object();

    for (size_t i = 0; i < report->n; i++) {
        const Result *result = &report->results[i];
        json_t *check = json_object();

        (void)json_object_set_new(check, "name", json_string(result->name));
        (void)json_object_set_new(check, "status", json_string(status_names[result->status]));
        (void)json_object_set_new(check, "what", json_string(result->what));
        (void)json_object_set_new(check, "advice", json_string_or_null(result->advice));
        (void)json_object_set_new(check, "detail", json_string_or_null(result->detail));
        (void)json_array_append_new(checks, check);
    }
    for (DoctorStatus status = 0; status < _DOCTOR_STATUS_MAX; status++)
        (void)json_object_set_new(counts, status_names[status],
                                  json_integer((json_int_t)count(report, status)));

    root = json_pack("{s:s, s:o, s:o}", "mode", mode, "counts", counts, "checks", checks);
    (void)json_dumpf(root, file, JSON_INDENT(2));
    fputc('\n', file);
}
