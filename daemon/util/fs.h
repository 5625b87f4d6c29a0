#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Small files: read whole, write whole, never half. */

#include "util/macro.h"
#include <limits.h>
#include <sys/types.h>
#include <unistd.h>

typedef enum FsSync {
    FS_SYNC_NO,  /* atomic for readers, may be lost or empty after a power failure: /run */
    FS_SYNC_YES, /* file and directory are on disk when the call returns */
} FsSync;

/**
 * fs_read_file() - read a whole file of at most max bytes
 * @ret: NUL-terminated contents, freed by the caller
 * @ret_n: bytes without the NUL; may be NULL
 *
 * Return: 0; -EFBIG when it is larger than max; else the errno of open() or read().
 */
int fs_read_file(const char *path, size_t max, char **ret, size_t *ret_n);

/**
 * fs_write_file() - replace a file: readers see the old contents or the new, never a mixture
 *
 * The data goes to a temporary file in the same directory, which is renamed over path and
 * removed again on failure.
 *
 * Return: 0, or the errno of the step that failed; path is then as it was.
 */
int fs_write_file(const char *path, const void *data, size_t n, mode_t mode, FsSync sync);

/**
 * fs_update_file() - have a file hold this text; one that does is not written again
 * @ret_changed: set when it was written, else untouched
 *
 * Return: 0, or as fs_write_file().
 */
int fs_update_file(const char *path, const char *text, mode_t mode, FsSync sync, bool *ret_changed);

/** fs_write_value() - write a string to an existing file in one write(), as /proc/sys and /sys want it */
int fs_write_value(const char *path, const char *value);

/** fs_mkdir_p() - create the directory and its parents; an existing one is fine; 0 or errno */
int fs_mkdir_p(const char *path, mode_t mode);

/** fs_unlink() - remove a file; absent is fine; 0 or errno */
int fs_unlink(const char *path);

/**
 * fs_remove_file() - as fs_unlink(), telling whether there was one
 * @ret_changed: set when it was removed, else untouched
 */
int fs_remove_file(const char *path, bool *ret_changed);

/** fs_path() - format a path; 0 or -ENAMETOOLONG */
int fs_path(char ret[static PATH_MAX], const char *format, ...) _printf_(2, 3);

/** closep() - for _cleanup_close_: close what is open */
static inline void closep(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

#define _cleanup_close_ _cleanup_(closep)
