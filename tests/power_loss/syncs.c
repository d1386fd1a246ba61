/* Calls that make things durable: each in front of libc's own. */
#include "calls.h"

static int sync_below(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    int error;
    if (!path_of(fd, path)) {
        return real(fd);
    }
    uint64_t begun = records_so_far(), node = stat_of(fd).st_ino;
    int fault = fails(CALL_SYNC, path, &error);
    int result = fault ? (error == 0 ? 0 : -1) : real(fd);
    int saved = fault ? error : errno;
    if (!fault || error != 0) {
        lock_changes();
        note(result == 0 ? SYNCED : LOST, node, begun, NULL);
        unlock_changes();
    }
    errno = saved;
    return result;
}

int fsync(int fd) {
    REAL(int, fsync, int)
    return sync_below(fd, real_fsync);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int)
    return sync_below(fd, real_fdatasync);
}

/* Starts writing back, and promises nothing: it can fail here, but never makes anything durable. */
int sync_file_range(int fd, off_t offset, off_t length, unsigned flags) {
    REAL(int, sync_file_range, int, off_t, off_t, unsigned)
    char path[PATH_MAX];
    int error;
    if (path_of(fd, path) && fails(CALL_SYNC, path, &error) && error != 0) {
        return failed(error);
    }
    return real_sync_file_range(fd, offset, length, flags);
}
