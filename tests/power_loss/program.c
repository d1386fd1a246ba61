/* Does to files what its arguments say, then ends without tidying up: what the library's own tests run under it.
 *
 *   create NAME | append NAME TEXT | put NAME OFFSET TEXT | resize NAME SIZE | allocate NAME SIZE | punch NAME OFFSET LENGTH | rename FROM TO
 *   remove NAME | mkdir NAME | sync NAME | datasync NAME | read NAME (prints it) | full NAME (appends a KiB at a time until an error, prints it)
 *   direct NAME BLOCKS TEXT (appends pages past the page cache, then TEXT through it) */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

static char **argument;

static const char *next(void) {
    if (*argument == NULL) {
        fprintf(stderr, "an argument is missing\n");
        exit(2);
    }
    return *argument++;
}

/* Prints what went wrong and goes on: some tests want that. */
static void check(const char *what, long result) {
    if (result < 0) {
        printf("%s: %s\n", what, strerrorname_np(errno));
    }
}

static int opened(const char *name, int flags) {
    int fd = open(name, flags, 0600);
    check("open", fd);
    return fd;
}

static void append_until_full(const char *name) {
    char block[1024] = { 'x' };
    int fd = opened(name, O_WRONLY | O_CREAT | O_APPEND);
    while (write(fd, block, sizeof block) > 0) {
    }
    check("write", -1);
    close(fd);
}

static void append_directly(const char *name, size_t blocks, const char *text) {
    void *pages = aligned_alloc(PAGE, blocks * PAGE);
    memset(pages, 'd', blocks * PAGE);
    int fd = opened(name, O_WRONLY | O_APPEND);
    check("fcntl", fcntl(fd, F_SETFL, O_APPEND | O_DIRECT));
    ssize_t written = write(fd, pages, blocks * PAGE);
    check("direct write", written);
    if (written >= 0 && (size_t)written < blocks * PAGE) {
        printf("direct write: %zd\n", written);
    }
    check("fcntl", fcntl(fd, F_SETFL, O_APPEND));
    check("write", write(fd, text, strlen(text)));
    close(fd);
    free(pages);
}

static void act(const char *verb) {
    const char *name = next();
    int fd = -1;
    if (strcmp(verb, "create") == 0) {
        fd = opened(name, O_WRONLY | O_CREAT | O_TRUNC);
    } else if (strcmp(verb, "append") == 0) {
        const char *text = next();
        fd = opened(name, O_WRONLY | O_APPEND);
        check("write", write(fd, text, strlen(text)));
    } else if (strcmp(verb, "put") == 0) {
        off_t offset = atoll(next());
        const char *text = next();
        fd = opened(name, O_WRONLY);
        check("pwrite", pwrite(fd, text, strlen(text), offset));
    } else if (strcmp(verb, "resize") == 0) {
        fd = opened(name, O_WRONLY);
        check("ftruncate", ftruncate(fd, atoll(next())));
    } else if (strcmp(verb, "allocate") == 0) {
        fd = opened(name, O_WRONLY);
        check("fallocate", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, atoll(next())));
    } else if (strcmp(verb, "punch") == 0) {
        off_t offset = atoll(next());
        off_t length = atoll(next());
        fd = opened(name, O_WRONLY);
        check("fallocate", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
    } else if (strcmp(verb, "sync") == 0) {
        fd = opened(name, O_RDONLY);
        check("fsync", fsync(fd));
    } else if (strcmp(verb, "datasync") == 0) {
        fd = opened(name, O_RDONLY);
        check("fdatasync", fdatasync(fd));
    } else if (strcmp(verb, "rename") == 0) {
        check("rename", rename(name, next()));
    } else if (strcmp(verb, "remove") == 0) {
        check("unlink", unlink(name));
    } else if (strcmp(verb, "mkdir") == 0) {
        check("mkdir", mkdir(name, 0700));
    } else if (strcmp(verb, "read") == 0) {
        char text[1024];
        fd = opened(name, O_RDONLY);
        ssize_t length = read(fd, text, sizeof text);
        check("read", length);
        printf("%.*s", length < 0 ? 0 : (int)length, text);
    } else if (strcmp(verb, "full") == 0) {
        append_until_full(name);
    } else if (strcmp(verb, "direct") == 0) {
        size_t blocks = (size_t)atoll(next());
        append_directly(name, blocks, next());
    } else {
        fprintf(stderr, "unknown verb: %s\n", verb);
        exit(2);
    }
    if (fd >= 0) {
        close(fd);
    }
}

int main(int count, char **arguments) {
    (void)count;
    argument = arguments + 1;
    while (*argument != NULL) {
        act(next());
    }
    fflush(stdout);
    _exit(0);
}
