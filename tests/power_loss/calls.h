/* What the files with the replaced calls share. */
#ifndef CALLS_H
#define CALLS_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power_loss.h"

/* st_blocks counts in these, whatever the file system's blocks are. */
#define BLOCK 512

/* Declares libc's own `name` as `real_name`, found at the first use. */
#define REAL(result, name, ...)                                        \
    static result (*real_##name)(__VA_ARGS__);                         \
    if (real_##name == NULL) {                                         \
        *(void **)&real_##name = dlsym(RTLD_NEXT, #name);              \
    }

/* On 64-bit systems the variant for large files is the same function. */
#define ALSO(name, result, ...) ALIAS(name, name##64, result, __VA_ARGS__)
#define ALIAS(name, other, result, ...) result other(__VA_ARGS__) __attribute__((alias(#name)))

static inline struct stat stat_of(int fd) {
    struct stat found = { 0 };
    fstat(fd, &found);
    return found;
}

static inline int64_t room_of(int fd) {
    return stat_of(fd).st_blocks * BLOCK;
}

static inline int failed(int error) {
    errno = error;
    return -1;
}

#endif
