/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs started and waited for. What keeps one from being started (execvp's errno) comes back
 * through a second pipe, which a program that did start has closed.
 */

#include "run.h"
#include "util/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX ((size_t)64 * 1024)

typedef struct Pipe {
    int fds[2]; /* to read from, to write to */
} Pipe;

static void pipe_done(Pipe *p)
{
    closep(&p->fds[0]);
    closep(&p->fds[1]);
}

static void pipe_close_end(Pipe *p, int end)
{
    closep(&p->fds[end]);
    p->fds[end] = -1;
}

/* In the child: never returns. */
static void start(const Root *root, const char *const *argv, const Pipe *output, const Pipe *failure)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), error;

    if ((null < 0 || dup2(null, STDIN_FILENO) >= 0) && dup2(output->fds[1], STDOUT_FILENO) >= 0 &&
        dup2(output->fds[1], STDERR_FILENO) >= 0 &&
        (root_is_host(root) || (chroot(root->path) == 0 && chdir("/") == 0)))
        (void)execvp(argv[0], (char *const *)argv);
    error = errno;
    (void)!write(failure->fds[1], &error, sizeof(error));
    _exit(127);
}

/* Until the end of the output or the deadline; 0, -ETIMEDOUT, -ENOMEM. */
static int read_output(int fd, usec_t deadline, Buf *output)
{
    const size_t before = output->n;
    char chunk[4096];
    ssize_t n;

    for (;;) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        usec_t now = time_monotonic();
        int r = now >= deadline ? 0 : poll(&entry, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -ETIMEDOUT;
        n = read(fd, chunk, sizeof(chunk));
        if (n <= 0)
            return 0;
        if (output->n - before < OUTPUT_MAX && buf_append(output, chunk, (size_t)n) < 0)
            return -ENOMEM;
    }
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_program(const Root *root, const char *const *argv, usec_t timeout, Buf *output, int *ret_status)
{
    _cleanup_(pipe_done) Pipe out = {{-1, -1}}, failure = {{-1, -1}};
    int r, error = 0, status;
    pid_t pid;

    if (pipe2(out.fds, O_CLOEXEC) < 0 || pipe2(failure.fds, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        start(root, argv, &out, &failure);

    pipe_close_end(&out, 1);
    pipe_close_end(&failure, 1);
    r = read_output(out.fds[0], time_add(time_monotonic(), timeout), output);
    if (r < 0)
        (void)kill(pid, SIGKILL);
    status = wait_for(pid);
    if (read(failure.fds[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
        return -error;
    if (r == 0)
        *ret_status = status;
    return r;
}
