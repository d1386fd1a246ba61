/* How much room there seems to be: that of the simulated disk, if there is one. */
#include "calls.h"

#include <sys/statvfs.h>

/* On 64-bit systems the two structures are one. */
#pragma GCC diagnostic ignored "-Wattribute-alias"

static void limit(struct statvfs *volume) {
    if (limits_room()) {
        volume->f_frsize = volume->f_bsize = 4096;
        volume->f_blocks = capacity() / volume->f_frsize;
        volume->f_bfree = volume->f_bavail = room_left() / volume->f_frsize;
    }
}

int statvfs(const char *path, struct statvfs *volume) {
    REAL(int, statvfs, const char *, struct statvfs *)
    int result = real_statvfs(path, volume);
    struct place place;
    if (result == 0 && locate(AT_FDCWD, path, &place)) {
        limit(volume);
    }
    return result;
}
int statvfs64(const char *path, struct statvfs64 *volume) __attribute__((alias("statvfs")));

int fstatvfs(int fd, struct statvfs *volume) {
    REAL(int, fstatvfs, int, struct statvfs *)
    int result = real_fstatvfs(fd, volume);
    char path[PATH_MAX];
    if (result == 0 && path_of(fd, path)) {
        limit(volume);
    }
    return result;
}
int fstatvfs64(int fd, struct statvfs64 *volume) __attribute__((alias("fstatvfs")));
