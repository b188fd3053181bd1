// A disk with faults, for one process: preload it, and drive it through the file that DISK_CONTROL names.
// The first four numbers (32 bits each) are: microseconds a flush takes, the error it fails with, the error a write fails with, and how many
// gates were seen to open (written from here: the file driver writes "open\n").
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control { volatile uint32_t flush_us, flush_errno, write_errno, opens; };
static struct control *control;
static int (*real_fsync)(int), (*real_fdatasync)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t), (*real_write)(int, const void *, size_t);

__attribute__((constructor)) static void start(void) {
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_write = dlsym(RTLD_NEXT, "write");
  const char *path = getenv("DISK_CONTROL");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *there = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (there != MAP_FAILED) control = there;
}

static int flush(int file, int (*real)(int)) {
  // In small steps, so that a disk that hangs can be healed.
  for (uint32_t waited = 0; control && waited < control->flush_us; waited += 10000) usleep(10000);
  if (control && control->flush_errno) { errno = control->flush_errno; return -1; }
  return real(file);
}

int fsync(int file) { return flush(file, real_fsync); }
int fdatasync(int file) { return flush(file, real_fdatasync); }

ssize_t pwrite64(int file, const void *bytes, size_t length, off_t at) {
  if (control && control->write_errno) { errno = control->write_errno; return -1; }
  return real_pwrite(file, bytes, length, at);
}
ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) { return pwrite64(file, bytes, length, at); }

ssize_t write(int file, const void *bytes, size_t length) {
  if (control && length == 5 && !memcmp(bytes, "open\n", 5)) __sync_fetch_and_add(&control->opens, 1);
  return real_write(file, bytes, length);
}
