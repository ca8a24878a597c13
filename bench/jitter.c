/*
 * What the machine itself does to a program that always runs: reads the clock for so many milliseconds without a pause.
 *
 *   jitter MILLISECONDS
 *
 * Prints "jitter LONGEST_NS OWN_NS": the longest time between two readings, and the longest without the time in which
 * this thread could run and had no processor (the second field of its schedstat). What is left of that is interrupts
 * and a hypervisor: no program can do anything about it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Looked into only for gaps of this length, for looking takes time too. */
enum { NS_PER_SECOND = 1000000000, NS_PER_MS = 1000000, NOTABLE_NS = 50000, MAX_MILLISECONDS = 60000 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * NS_PER_SECOND + time.tv_nsec;
}

static int64_t waited(int schedstat) {
  char text[128];
  int64_t waited_ns = 0;
  const ssize_t length = pread(schedstat, text, sizeof text - 1, 0);
  if (length > 0) text[length] = '\0';
  if (length <= 0 || sscanf(text, "%*s %" SCNd64, &waited_ns) != 1) {
    fputs("jitter: schedstat cannot be read\n", stderr);
    exit(EXIT_FAILURE);
  }
  return waited_ns;
}

int main(int argc, char **argv) {
  const long milliseconds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
  if (milliseconds < 1 || milliseconds > MAX_MILLISECONDS) {
    fprintf(stderr, "jitter: wants 1 to %d milliseconds\n", MAX_MILLISECONDS);
    return EXIT_FAILURE;
  }
  const int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (schedstat < 0) {
    fprintf(stderr, "jitter: schedstat: %s\n", strerror(errno));
    return EXIT_FAILURE;
  }
  const int64_t end = now() + milliseconds * NS_PER_MS;
  int64_t longest = 0;
  int64_t own = 0;
  int64_t before = waited(schedstat);
  int64_t last = now();
  for (int64_t at = last; at < end; last = at) {
    at = now();
    const int64_t gap = at - last;
    if (gap < NOTABLE_NS) {
      if (gap > longest) longest = gap;
      if (gap > own) own = gap;
      continue;
    }
    const int64_t after = waited(schedstat);
    if (gap > longest) longest = gap;
    if (gap - (after - before) > own) own = gap - (after - before);
    before = after;
    at = now();
  }
  printf("jitter %" PRId64 " %" PRId64 "\n", longest, own);
  return EXIT_SUCCESS;
}
