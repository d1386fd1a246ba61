/* The journal: a file that is only ever appended to, whole records under the lock. A kill leaves at most its last record
 * torn; whatever that was, no sync had covered it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "power_loss.h"

static pthread_mutex_t changes = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint_fast64_t records;
static int journal = -1;

__attribute__((constructor)) static void open_journal(void) {
    const char *path = getenv("POWER_LOSS_JOURNAL");
    if (path == NULL) {
        return;
    }
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) {
        give_up("opening the journal", path);
    }
}

/* Says what happened and ends the process: a journal with a gap would let a test pass for no reason. */
void give_up(const char *call, const char *path) {
    dprintf(STDERR_FILENO, "power loss library: %s cannot be journalled: %s\n", call, path);
    abort();
}

void lock_changes(void) {
    pthread_mutex_lock(&changes);
}

void unlock_changes(void) {
    pthread_mutex_unlock(&changes);
}

uint64_t records_so_far(void) {
    return atomic_load(&records);
}

static void append(struct iovec *parts, int count) {
    if (journal < 0) {
        return;
    }
    while (count > 0) {
        ssize_t done = syscall(SYS_writev, journal, parts, count);
        if (done < 0) {
            give_up("a change", "the journal cannot be written");
        }
        while (count > 0 && (size_t)done >= parts->iov_len) {
            done -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    atomic_fetch_add(&records, 1);
}

static void append_record(struct record record, const char *name, const char *to_name, const void *data) {
    record.name_length = (uint32_t)strlen(name);
    record.to_name_length = (uint32_t)strlen(to_name);
    struct iovec parts[4] = {
        { &record, sizeof record },
        { (void *)name, record.name_length },
        { (void *)to_name, record.to_name_length },
        { (void *)data, record.data_length },
    };
    append(parts, 4);
}

void note(enum change change, uint64_t node, uint64_t offset, const struct place *place) {
    struct record record = { .change = change, .node = node, .offset = offset };
    record.directory = place == NULL ? 0 : place->directory;
    append_record(record, place == NULL ? "" : place->name, "", NULL);
}

void note_created(enum change change, uint64_t node, uint32_t mode, const struct place *place) {
    struct record record = { .change = change, .mode = mode, .node = node, .directory = place->directory };
    append_record(record, place->name, "", NULL);
}

void note_write(uint64_t node, uint64_t offset, const void *data, size_t length) {
    struct record record = { .change = WRITTEN, .node = node, .offset = offset, .data_length = length };
    append_record(record, "", "", data);
}

void note_rename(const struct place *from, const struct place *to) {
    struct record record = { .change = RENAMED, .directory = from->directory, .to_directory = to->directory };
    append_record(record, from->name, to->name, NULL);
}
