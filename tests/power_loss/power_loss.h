/* A library put in front of libc (LD_PRELOAD) that watches one directory: it journals what a power loss could take, and
 * makes chosen calls fail. What it needs is in three environment variables:
 *
 *   POWER_LOSS_ROOT     the directory, absolute and without symbolic links
 *   POWER_LOSS_JOURNAL  the file to append the journal to; without it nothing is journalled
 *   POWER_LOSS_CONTROL  a file with a struct control, shared with the test; without it nothing fails
 *
 * It rolls nothing back itself. The journal says which bytes and names were written and which syncs covered them;
 * tests/it/faults/disk/ makes of it what a disk could hold after a power loss.
 *
 * Every change of the directory and its journal record happen under one lock, so that the journal's order is the order in
 * which things happened. Syncs run outside of it, side by side as without the library. */
#ifndef POWER_LOSS_H
#define POWER_LOSS_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* What happened. The numbers are the journal's format. */
enum change {
    CREATED = 1,  /* a file `node` called `name` in `directory` */
    MADE = 2,     /* the same, a directory */
    WRITTEN = 3,  /* `data` at `offset` of `node` */
    RESIZED = 4,  /* `node` has `offset` bytes now */
    RENAMED = 5,  /* `name` in `directory` is `to_name` in `to_directory` now */
    REMOVED = 6,  /* `name` from `directory` */
    LINKED = 7,   /* `node` is called `name` in `directory` too */
    SYNCED = 8,   /* a sync of `node` ended well; it began when the journal had `offset` records */
    LOST = 9,     /* a sync of `node` failed: as after a real one, what was written before it will never be durable */
};

/* One record of the journal: this head, the two names, the data. */
struct record {
    uint32_t change;
    uint32_t mode;
    uint64_t node;
    uint64_t directory;
    uint64_t to_directory;
    uint64_t offset;
    uint32_t name_length;
    uint32_t to_name_length;
    uint64_t data_length;
};

/* Kinds of calls, as bits of rule.calls. */
enum call {
    CALL_CREATE = 1,
    CALL_WRITE = 2,
    CALL_SYNC = 4,
    CALL_RENAME = 8,
    CALL_ALLOCATE = 16,
    CALL_RESIZE = 32,
    CALL_REMOVE = 64,
    CALL_DIRECT = 128, /* beside CALL_WRITE: a write past the page cache */
    CALL_READ = 256,
};

/* Makes some calls fail. Written by the test; the library counts. */
struct rule {
    uint32_t calls;    /* which kinds; 0: the rule is off */
    int32_t error;     /* what errno says; 0: the call seems to succeed and does nothing */
    uint64_t skip;     /* so many matching calls succeed first */
    uint64_t times;    /* so many fail then */
    uint64_t seen;     /* matching calls so far */
    uint64_t hit;      /* those of them that failed */
    char pattern[64];  /* of the path below the root, as of fnmatch(3) without flags */
};

#define RULES 24

struct control {
    uint64_t capacity; /* the size of the disk in bytes; 0: that of the real one */
    uint64_t used;     /* the room that the directory takes, kept by the library */
    struct rule rules[RULES];
};

/* A name below the root. */
struct place {
    char path[PATH_MAX];  /* relative to the root, "" for the root itself */
    const char *name;     /* its last part */
    uint64_t directory;   /* the inode of the directory that it is in */
};

/* place.c: whether something is below the root, and where. */
int locate(int directory, const char *path, struct place *place);
int path_of(int fd, char path[PATH_MAX]);

/* journal.c */
void lock_changes(void);
void unlock_changes(void);
uint64_t records_so_far(void);
void note(enum change change, uint64_t node, uint64_t offset, const struct place *place);
void note_created(enum change change, uint64_t node, uint32_t mode, const struct place *place);
void note_write(uint64_t node, uint64_t offset, const void *data, size_t length);
void note_rename(const struct place *from, const struct place *to);
void give_up(const char *call, const char *path) __attribute__((noreturn));

/* rules.c */
int fails(enum call call, const char *path, int *error);
int limits_room(void);
uint64_t room_left(void);
uint64_t capacity(void);
void count_room(int64_t bytes);

/* Set by the constructor in place.c. */
extern char root[PATH_MAX];

#endif
