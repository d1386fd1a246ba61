/* Where a path or a descriptor is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power_loss.h"

char root[PATH_MAX];

__attribute__((constructor)) static void find_root(void) {
    const char *given = getenv("POWER_LOSS_ROOT");
    if (given != NULL && strlen(given) < sizeof root) {
        strcpy(root, given);
    }
}

/* Gives the part of an absolute path that is below the root, NULL if it is elsewhere. */
static const char *below_root(const char *path) {
    size_t length = strlen(root);
    if (length == 0 || strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != 0)) {
        return NULL;
    }
    return path[length] == '/' ? path + length + 1 : path + length;
}

/* Finds `path`, which need not exist, from the open directory `directory` or AT_FDCWD. Gives 0 if it is elsewhere. */
int locate(int directory, const char *path, struct place *place) {
    char parent[PATH_MAX], absolute[PATH_MAX];
    if (root[0] == 0 || path == NULL || strlen(path) >= PATH_MAX) {
        return 0;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    int prefix = slash == NULL ? 0 : (int)(slash - path) + 1;
    int length = path[0] == '/' || directory == AT_FDCWD
        ? snprintf(parent, sizeof parent, "%.*s", prefix, path)
        : snprintf(parent, sizeof parent, "/proc/self/fd/%d/%.*s", directory, prefix, path);
    if (length >= (int)sizeof parent || realpath(length == 0 ? "." : parent, absolute) == NULL) {
        return 0;
    }
    const char *relative = below_root(absolute);
    struct stat found;
    if (relative == NULL || stat(absolute, &found) != 0) {
        return 0;
    }
    if (snprintf(place->path, sizeof place->path, "%s%s%s", relative, *relative == 0 ? "" : "/", name) >= PATH_MAX) {
        return 0;
    }
    const char *last = strrchr(place->path, '/');
    place->name = last == NULL ? place->path : last + 1;
    place->directory = found.st_ino;
    return 1;
}

/* Gives the path of an open file relative to the root, or 0 if it is elsewhere or no file. A removed one keeps its path. */
int path_of(int fd, char path[PATH_MAX]) {
    static const char removed[] = " (deleted)";
    char link[64], target[PATH_MAX];
    if (root[0] == 0) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0 || target[0] != '/') {
        return 0;
    }
    target[length] = 0;
    const size_t mark = sizeof removed - 1;
    if ((size_t)length > mark && strcmp(target + length - mark, removed) == 0) {
        target[length - mark] = 0;
    }
    const char *relative = below_root(target);
    if (relative == NULL) {
        return 0;
    }
    strcpy(path, relative);
    return 1;
}
