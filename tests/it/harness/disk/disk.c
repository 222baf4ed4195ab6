/* A disk that can be made to fail, for whatever process this is preloaded into: while the file "full"
 * is in the folder DISK_FAULTS names, no regular file takes a byte (ENOSPC); while "failing"
 * is there, nothing reaches the disk (EIO). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int is(const char *fault) {
  const char *folder = getenv("DISK_FAULTS");
  char path[4096];
  int kept = errno, found;
  if (!folder) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, fault);
  found = access(path, F_OK) == 0;
  errno = kept;
  return found;
}

static int is_full_for(int file) {
  struct stat status;
  return is("full") && fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

#define WRITING(type, name, declared, passed, ...)               \
  type name declared {                                           \
    if (is_full_for(file)) { errno = ENOSPC; return -1; }        \
    return REAL(type, name, __VA_ARGS__) passed;                 \
  }

WRITING(ssize_t, write, (int file, const void *bytes, size_t count), (file, bytes, count), int, const void *, size_t)
WRITING(ssize_t, pwrite, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at), int, const void *, size_t, off_t)
WRITING(ssize_t, pwrite64, (int file, const void *bytes, size_t count, off64_t at), (file, bytes, count, at), int, const void *, size_t, off64_t)
WRITING(ssize_t, pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at), int, const struct iovec *, int, off_t)
WRITING(ssize_t, pwritev64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at), int, const struct iovec *, int, off64_t)

#define SYNCING(name)                                            \
  int name(int file) {                                           \
    if (is("failing")) { errno = EIO; return -1; }               \
    return REAL(int, name, int)(file);                           \
  }

SYNCING(fsync)
SYNCING(fdatasync)
