/* Calls that read: each in front of libc's own. They change nothing, so all they can do is fail. */
#include "calls.h"

#include <sys/uio.h>

/* Gives whether a rule has this read fail, and how. */
static int read_fails(int fd, int *error) {
    char path[PATH_MAX];
    return path_of(fd, path) && fails(CALL_READ, path, error);
}

ssize_t read(int fd, void *data, size_t length) {
    REAL(ssize_t, read, int, void *, size_t)
    int error;
    return read_fails(fd, &error) ? failed(error) : real_read(fd, data, length);
}

ssize_t pread(int fd, void *data, size_t length, off_t offset) {
    REAL(ssize_t, pread, int, void *, size_t, off_t)
    int error;
    return read_fails(fd, &error) ? failed(error) : real_pread(fd, data, length, offset);
}
ALSO(pread, ssize_t, int, void *, size_t, off_t);

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    REAL(ssize_t, preadv2, int, const struct iovec *, int, off_t, int)
    int error;
    return read_fails(fd, &error) ? failed(error) : real_preadv2(fd, parts, count, offset, flags);
}
ALIAS(preadv2, preadv64v2, ssize_t, int, const struct iovec *, int, off_t, int);
