/* Calls that change names: each in front of libc's own. */
#include "calls.h"

#include <stdarg.h>
#include <stdio.h>

/* The room that is free again when the name at `path` goes. */
static int64_t room_freed(int directory, const char *path) {
    struct stat found;
    int last = fstatat(directory, path, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 1;
    return last ? found.st_blocks * BLOCK : 0;
}

static int open_below(int directory, const char *path, int flags, mode_t mode, struct place *place) {
    REAL(int, openat, int, const char *, int, ...)
    int error;
    if (flags & (O_DSYNC | O_SYNC) && (flags & O_ACCMODE) != O_RDONLY) {
        give_up("opening with O_SYNC", place->path);
    }
    if ((flags & (O_CREAT | O_TRUNC)) == 0) {
        return real_openat(directory, path, flags, mode);
    }
    if (fails(CALL_CREATE, place->path, &error)) {
        return failed(error);
    }
    lock_changes();
    struct stat before;
    int existed = fstatat(directory, path, &before, 0) == 0;
    int fd = real_openat(directory, path, flags, mode);
    int saved = errno;
    if (fd >= 0 && !existed) {
        struct stat made = stat_of(fd);
        note_created(CREATED, made.st_ino, made.st_mode & 07777, place);
    } else if (fd >= 0 && flags & O_TRUNC && before.st_size > 0) {
        note(RESIZED, before.st_ino, 0, NULL);
        count_room(room_of(fd) - before.st_blocks * BLOCK);
    }
    unlock_changes();
    errno = saved;
    return fd;
}

static int open_any(int directory, const char *path, int flags, mode_t mode) {
    REAL(int, openat, int, const char *, int, ...)
    struct place place;
    if ((flags & (O_CREAT | O_TRUNC | O_DSYNC)) == 0 || !locate(directory, path, &place)) {
        return real_openat(directory, path, flags, mode);
    }
    return open_below(directory, path, flags, mode, &place);
}

static mode_t mode_in(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_in(flags, rest);
    va_end(rest);
    return open_any(AT_FDCWD, path, flags, mode);
}
ALSO(open, int, const char *, int, ...);

int openat(int directory, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_in(flags, rest);
    va_end(rest);
    return open_any(directory, path, flags, mode);
}
ALSO(openat, int, int, const char *, int, ...);

int creat(const char *path, mode_t mode) {
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
ALSO(creat, int, const char *, mode_t);

int mkdirat(int directory, const char *path, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t)
    struct place place;
    int error;
    if (!locate(directory, path, &place)) {
        return real_mkdirat(directory, path, mode);
    }
    if (fails(CALL_CREATE, place.path, &error)) {
        return failed(error);
    }
    lock_changes();
    int result = real_mkdirat(directory, path, mode);
    int saved = errno;
    struct stat made;
    if (result == 0 && fstatat(directory, path, &made, 0) == 0) {
        note_created(MADE, made.st_ino, made.st_mode & 07777, &place);
    }
    unlock_changes();
    errno = saved;
    return result;
}

int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *)
    struct place source, target;
    int is_source = locate(from_directory, from, &source), is_target = locate(to_directory, to, &target), error;
    if (!is_source && !is_target) {
        return real_renameat(from_directory, from, to_directory, to);
    }
    if (!is_source || !is_target) {
        give_up("renaming out of or into the directory", from);
    }
    if (fails(CALL_RENAME, target.path, &error)) {
        return failed(error);
    }
    lock_changes();
    int64_t freed = room_freed(to_directory, to);
    int result = real_renameat(from_directory, from, to_directory, to);
    int saved = errno;
    if (result == 0) {
        note_rename(&source, &target);
        count_room(-freed);
    }
    unlock_changes();
    errno = saved;
    return result;
}

int rename(const char *from, const char *to) {
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned)
    struct place place;
    if (flags == 0) {
        return renameat(from_directory, from, to_directory, to);
    }
    if (locate(from_directory, from, &place) || locate(to_directory, to, &place)) {
        give_up("renameat2 with flags", from);
    }
    return real_renameat2(from_directory, from, to_directory, to, flags);
}

int unlinkat(int directory, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int)
    struct place place;
    int error;
    if (!locate(directory, path, &place)) {
        return real_unlinkat(directory, path, flags);
    }
    if (fails(CALL_REMOVE, place.path, &error)) {
        return failed(error);
    }
    lock_changes();
    int64_t freed = room_freed(directory, path);
    int result = real_unlinkat(directory, path, flags);
    int saved = errno;
    if (result == 0) {
        note(REMOVED, 0, 0, &place);
        count_room(-freed);
    }
    unlock_changes();
    errno = saved;
    return result;
}

int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int)
    struct place target;
    int error;
    if (!locate(to_directory, to, &target)) {
        return real_linkat(from_directory, from, to_directory, to, flags);
    }
    if (fails(CALL_CREATE, target.path, &error)) {
        return failed(error);
    }
    lock_changes();
    int result = real_linkat(from_directory, from, to_directory, to, flags);
    int saved = errno;
    struct stat made;
    if (result == 0 && fstatat(to_directory, to, &made, AT_SYMLINK_NOFOLLOW) == 0) {
        note(LINKED, made.st_ino, 0, &target);
    }
    unlock_changes();
    errno = saved;
    return result;
}

int link(const char *from, const char *to) {
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
