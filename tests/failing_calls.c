/* Loaded before the C library: lets one system call of a process fail, or be its last, and counts those that could.
 *
 * Counted are the calls that change what lies below the folder that `fail_arm` names: fsync, fdatasync, rename, link,
 * unlink, mkdir, write and pwrite. The call whose number it is told does nothing and fails, a flush with EIO, another with
 * ENOSPC; or the process is killed before it is made. What a flush did is not seen in what a killed process leaves, so
 * flushes are not counted then. The tests build it with cc and speak to it by ctypes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static atomic_long counted, fails_at, fired;
static atomic_int kills;

void fail_arm(const char *below, long at, int by_kill) {
    atomic_store(&kills, by_kill);
    snprintf(folder, sizeof folder, "%s", below);
    atomic_store(&counted, 0);
    atomic_store(&fired, 0);
    atomic_store(&fails_at, at);
}

void fail_disarm(void) { folder[0] = 0; }

long fail_counted(void) { return atomic_load(&counted); }

long fail_fired(void) { return atomic_load(&fired); }

static int is_below(const char *path) {
    return folder[0] && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_file_below(int descriptor) {
    char link[64], path[4096];
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static int must_fail(int error) {
    if (atomic_fetch_add(&counted, 1) + 1 != atomic_load(&fails_at)) return 0;
    atomic_store(&fired, 1);
    if (atomic_load(&kills)) kill(getpid(), SIGKILL);
    errno = error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int descriptor) {
    int kept = errno;
    if (!atomic_load(&kills) && is_file_below(descriptor) && must_fail(EIO)) return -1;
    errno = kept;
    return REAL(fsync)(descriptor);
}

int fdatasync(int descriptor) {
    int kept = errno;
    if (!atomic_load(&kills) && is_file_below(descriptor) && must_fail(EIO)) return -1;
    errno = kept;
    return REAL(fdatasync)(descriptor);
}

int rename(const char *from, const char *to) {
    if ((is_below(from) || is_below(to)) && must_fail(ENOSPC)) return -1;
    return REAL(rename)(from, to);
}

int linkat(int old_folder, const char *from, int new_folder, const char *to, int flags) {
    if ((is_below(from) || is_below(to)) && must_fail(ENOSPC)) return -1;
    return REAL(linkat)(old_folder, from, new_folder, to, flags);
}

int unlink(const char *path) {
    if (is_below(path) && must_fail(EIO)) return -1;
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
    if (is_below(path) && must_fail(ENOSPC)) return -1;
    return REAL(mkdir)(path, mode);
}

ssize_t write(int descriptor, const void *data, size_t size) {
    int kept = errno;
    if (is_file_below(descriptor) && must_fail(ENOSPC)) return -1;
    errno = kept;
    return REAL(write)(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t at) {
    int kept = errno;
    if (is_file_below(descriptor) && must_fail(ENOSPC)) return -1;
    errno = kept;
    return REAL(pwrite)(descriptor, data, size, at);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t at) {
    int kept = errno;
    if (is_file_below(descriptor) && must_fail(ENOSPC)) return -1;
    errno = kept;
    return REAL(pwrite64)(descriptor, data, size, at);
}
