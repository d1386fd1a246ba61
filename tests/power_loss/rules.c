/* Which calls fail, and how much room there is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "power_loss.h"

#define BLOCK 512

static struct control *control;

static int add_room_of(const char *path, const struct stat *found, int type, struct FTW *walk) {
    (void)path, (void)walk;
    if (type == FTW_F) {
        count_room(found->st_blocks * BLOCK);
    }
    return 0;
}

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("POWER_LOSS_CONTROL");
    const char *directory = getenv("POWER_LOSS_ROOT");
    if (path == NULL || directory == NULL) {
        return;
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *mapped = fd < 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        give_up("mapping the control file", path);
    }
    syscall(SYS_close, fd);
    control = mapped;
    control->used = 0;
    nftw(directory, add_room_of, 16, FTW_PHYS);
}

/* Counts a call of this kind on `path`; gives whether a rule has it fail, and how. */
int fails(enum call call, const char *path, int *error) {
    int failed = 0;
    for (int i = 0; control != NULL && i < RULES; i++) {
        struct rule *rule = &control->rules[i];
        if ((__atomic_load_n(&rule->calls, __ATOMIC_ACQUIRE) & call) == 0 || fnmatch(rule->pattern, path, 0) != 0) {
            continue;
        }
        uint64_t before = __atomic_fetch_add(&rule->seen, 1, __ATOMIC_SEQ_CST);
        if (before >= rule->skip && before - rule->skip < rule->times) {
            __atomic_fetch_add(&rule->hit, 1, __ATOMIC_SEQ_CST);
            *error = rule->error;
            failed = 1;
        }
    }
    return failed;
}

int limits_room(void) {
    return control != NULL && capacity() != 0;
}

uint64_t capacity(void) {
    return control == NULL ? 0 : __atomic_load_n(&control->capacity, __ATOMIC_ACQUIRE);
}

uint64_t room_left(void) {
    uint64_t used = __atomic_load_n(&control->used, __ATOMIC_ACQUIRE);
    return used < capacity() ? capacity() - used : 0;
}

/* Keeps account of the room that the directory takes. */
void count_room(int64_t bytes) {
    if (control != NULL) {
        __atomic_fetch_add(&control->used, (uint64_t)bytes, __ATOMIC_SEQ_CST);
    }
}
