/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Small files, read and written whole.
 *
 * Writing goes through a temporary file in the same directory and rename(2), which replaces
 * atomically. With FS_SYNC_YES the file is synced before the rename and the directory after it: only
 * both together survive a power failure (fsync(2), NOTES).
 */

#include "util/fs.h"
#include "util/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int fs_read_file(const char *path, size_t max, char **ret, size_t *ret_n)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    _cleanup_buf_ Buf buf = BUF_NULL;
    char chunk[4096];
    size_t length;
    int r;

    if (fd < 0)
        return -errno;

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        if ((size_t)n > max - buf.n)
            return -EFBIG;
        r = buf_append(&buf, chunk, (size_t)n);
        if (r < 0)
            return r;
    }

    length = buf.n;
    *ret = buf_take(&buf);
    if (!*ret)
        return -ENOMEM;
    if (ret_n)
        *ret_n = length;
    return 0;
}

static int write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, data, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        data += written;
        n -= (size_t)written;
    }
    return 0;
}

static int sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    _cleanup_close_ int fd = -1;

    if (strlen(path) >= sizeof(copy))
        return -ENAMETOOLONG;
    (void)strcpy(copy, path);

    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

static int write_temporary(int fd, const void *data, size_t n, mode_t mode, FsSync sync)
{
    int r;

    if (fchmod(fd, mode) < 0)
        return -errno;
    r = write_all(fd, data, n);
    if (r < 0)
        return r;
    if (sync == FS_SYNC_YES && fsync(fd) < 0)
        return -errno;
    return 0;
}

int fs_write_file(const char *path, const void *data, size_t n, mode_t mode, FsSync sync)
{
    char temporary[PATH_MAX];
    _cleanup_close_ int fd = -1;
    int r;

    if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
        return -ENAMETOOLONG;

    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;

    r = write_temporary(fd, data, n, mode, sync);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return r;
    }

    return sync == FS_SYNC_YES ? sync_directory_of(path) : 0;
}

static bool file_holds(const char *path, const char *text)
{
    _cleanup_(freep) char *present = NULL;
    size_t n = 0;

    if (fs_read_file(path, strlen(text), &present, &n) < 0 || !present)
        return false;
    return n == strlen(text) && memcmp(present, text, n) == 0;
}

int fs_update_file(const char *path, const char *text, mode_t mode, FsSync sync, bool *ret_changed)
{
    int r;

    if (file_holds(path, text))
        return 0;
    r = fs_write_file(path, text, strlen(text), mode, sync);
    if (r == 0)
        *ret_changed = true;
    return r;
}

int fs_write_value(const char *path, const char *value)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n;

    if (fd < 0)
        return -errno;

    n = write(fd, value, strlen(value));
    if (n < 0)
        return -errno;
    return (size_t)n == strlen(value) ? 0 : -EIO;
}

int fs_mkdir_p(const char *path, mode_t mode)
{
    char copy[PATH_MAX];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, path, n + 1);

    for (char *p = copy + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return -errno;
        if (c == '\0')
            return 0;
        *p = c;
    }
}

int fs_unlink(const char *path)
{
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int fs_remove_file(const char *path, bool *ret_changed)
{
    if (unlink(path) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    *ret_changed = true;
    return 0;
}

int fs_path(char ret[static PATH_MAX], const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(ret, PATH_MAX, format, ap);
    va_end(ap);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}
