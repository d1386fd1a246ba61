/* Calls that change bytes and sizes: each in front of libc's own. */
#include "calls.h"

#include <sys/uio.h>

/* What every write past the page cache is aligned to. */
#define DIRECT_ALIGNMENT 4096

/* F_SETFL switches it on and off, so it is looked up at every write. */
static int is_direct(int fd) {
    return fcntl(fd, F_GETFL) & O_DIRECT;
}

static enum call kind_of_write(int fd) {
    return is_direct(fd) ? CALL_WRITE | CALL_DIRECT : CALL_WRITE;
}

/* How many of `length` bytes at `offset` the disk has room for. */
static size_t admitted(int fd, uint64_t offset, size_t length) {
    uint64_t have = (uint64_t)room_of(fd), end = offset + length;
    if (!limits_room() || end <= have) {
        return length;
    }
    uint64_t missing = end - have, left = room_left();
    if (missing <= left) {
        return length;
    }
    return missing - left < length ? length - (size_t)(missing - left) : 0;
}

/* Writes at `offset`, or at the file's position if that is -1. */
static ssize_t write_below(int fd, const void *data, size_t length, off_t offset) {
    REAL(ssize_t, write, int, const void *, size_t)
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t)
    int at_position = offset == -1;
    lock_changes();
    int appends = at_position && fcntl(fd, F_GETFL) & O_APPEND;
    uint64_t begin = (uint64_t)(appends ? stat_of(fd).st_size : at_position ? lseek(fd, 0, SEEK_CUR) : offset);
    int64_t before = room_of(fd);
    size_t room = admitted(fd, begin, length);
    if (room < length && is_direct(fd)) {
        room -= room % DIRECT_ALIGNMENT;
    }
    ssize_t written = failed(ENOSPC);
    if (room > 0 || length == 0) {
        written = at_position ? real_write(fd, data, room) : real_pwrite(fd, data, room, offset);
    }
    int saved = errno;
    if (written > 0) {
        note_write(stat_of(fd).st_ino, begin, data, (size_t)written);
        count_room(room_of(fd) - before);
    }
    unlock_changes();
    errno = saved;
    return written;
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t)
    char path[PATH_MAX];
    int error;
    if (!path_of(fd, path)) {
        return real_write(fd, data, length);
    }
    return fails(kind_of_write(fd), path, &error) ? failed(error) : write_below(fd, data, length, -1);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t)
    char path[PATH_MAX];
    int error;
    if (!path_of(fd, path)) {
        return real_pwrite(fd, data, length, offset);
    }
    return fails(kind_of_write(fd), path, &error) ? failed(error) : write_below(fd, data, length, offset);
}
ALSO(pwrite, ssize_t, int, const void *, size_t, off_t);

/* Writes the first part only: a short write, which every caller has to expect. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int)
    char path[PATH_MAX];
    if (count < 1 || !path_of(fd, path)) {
        return real_writev(fd, parts, count);
    }
    return write(fd, parts->iov_base, parts->iov_len);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t)
    char path[PATH_MAX];
    if (count < 1 || !path_of(fd, path)) {
        return real_pwritev(fd, parts, count, offset);
    }
    return pwrite(fd, parts->iov_base, parts->iov_len, offset);
}
ALSO(pwritev, ssize_t, int, const struct iovec *, int, off_t);

int ftruncate(int fd, off_t size) {
    REAL(int, ftruncate, int, off_t)
    char path[PATH_MAX];
    int error;
    if (!path_of(fd, path)) {
        return real_ftruncate(fd, size);
    }
    if (fails(CALL_RESIZE, path, &error)) {
        return failed(error);
    }
    lock_changes();
    struct stat before = stat_of(fd);
    int result = real_ftruncate(fd, size);
    int saved = errno;
    if (result == 0) {
        if (before.st_size != size) {
            note(RESIZED, before.st_ino, (uint64_t)size, NULL);
        }
        count_room(room_of(fd) - before.st_blocks * BLOCK);
    }
    unlock_changes();
    errno = saved;
    return result;
}
ALSO(ftruncate, int, int, off_t);

/* A hole reads as zeros, so it is journalled as such. */
static void note_hole(uint64_t node, uint64_t offset, uint64_t length, uint64_t size) {
    static const char zeros[65536];
    uint64_t end = offset + length < size ? offset + length : size;
    while (offset < end) {
        uint64_t some = end - offset < sizeof zeros ? end - offset : sizeof zeros;
        note_write(node, offset, zeros, some);
        offset += some;
    }
}

/* Reserves room, or frees it; changes the file's size unless `mode` says to keep it. Gives an error number. */
static int allocate(int fd, int mode, off_t offset, off_t length, const char *path) {
    REAL(int, fallocate, int, int, off_t, off_t)
    int error;
    if (fails(CALL_ALLOCATE, path, &error)) {
        return error;
    }
    lock_changes();
    struct stat before = stat_of(fd);
    int frees = mode & FALLOC_FL_PUNCH_HOLE;
    uint64_t wanted = (uint64_t)(offset + length);
    int no_room = !frees && admitted(fd, (uint64_t)offset, (size_t)length) < (size_t)length;
    error = no_room ? ENOSPC : real_fallocate(fd, mode, offset, length) == 0 ? 0 : errno;
    if (error == 0) {
        if (frees) {
            note_hole(before.st_ino, (uint64_t)offset, (uint64_t)length, (uint64_t)before.st_size);
        }
        if (!(mode & FALLOC_FL_KEEP_SIZE) && wanted > (uint64_t)before.st_size) {
            note(RESIZED, before.st_ino, wanted, NULL);
        }
        count_room(room_of(fd) - before.st_blocks * BLOCK);
    }
    unlock_changes();
    return error;
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    REAL(int, fallocate, int, int, off_t, off_t)
    char path[PATH_MAX];
    if (!path_of(fd, path)) {
        return real_fallocate(fd, mode, offset, length);
    }
    int error = allocate(fd, mode, offset, length, path);
    return error == 0 ? 0 : failed(error);
}
ALSO(fallocate, int, int, int, off_t, off_t);

int posix_fallocate(int fd, off_t offset, off_t length) {
    REAL(int, posix_fallocate, int, off_t, off_t)
    char path[PATH_MAX];
    return path_of(fd, path) ? allocate(fd, 0, offset, length, path) : real_posix_fallocate(fd, offset, length);
}
ALSO(posix_fallocate, int, int, off_t, off_t);
