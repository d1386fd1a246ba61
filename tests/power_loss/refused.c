/* Changes that are not followed: better to end the process than to miss one. */
#include "calls.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void refuse_change(int fd, const char *call) {
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        give_up(call, path);
    }
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    REAL(void *, mmap, void *, size_t, int, int, int, off_t)
    if (fd >= 0 && flags & MAP_SHARED && protection & PROT_WRITE) {
        refuse_change(fd, "writing through mmap");
    }
    return real_mmap(address, length, protection, flags, fd, offset);
}
ALSO(mmap, void *, void *, size_t, int, int, int, off_t);

ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off_t *, int, off_t *, size_t, unsigned)
    refuse_change(to, "copy_file_range");
    return real_copy_file_range(from, from_at, to, to_at, length, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t length) {
    REAL(ssize_t, sendfile, int, int, off_t *, size_t)
    refuse_change(to, "sendfile");
    return real_sendfile(to, from, offset, length);
}
ALSO(sendfile, ssize_t, int, int, off_t *, size_t);

ssize_t splice(int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned flags) {
    REAL(ssize_t, splice, int, off_t *, int, off_t *, size_t, unsigned)
    refuse_change(to, "splice");
    return real_splice(from, from_at, to, to_at, length, flags);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    REAL(ssize_t, pwritev2, int, const struct iovec *, int, off_t, int)
    refuse_change(fd, "pwritev2");
    return real_pwritev2(fd, parts, count, offset, flags);
}
ALIAS(pwritev2, pwritev64v2, ssize_t, int, const struct iovec *, int, off_t, int);

int truncate(const char *path, off_t size) {
    REAL(int, truncate, const char *, off_t)
    struct place place;
    if (locate(AT_FDCWD, path, &place)) {
        give_up("truncate", path);
    }
    return real_truncate(path, size);
}
ALSO(truncate, int, const char *, off_t);
