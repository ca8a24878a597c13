/*
 * Starts CNI plugins and takes their time. Node needs 5 to 10 ms to start a child; this needs a fraction of one, and
 * costs both sides of a comparison the same.
 *
 *   driver COMMAND PLUGIN CONF IFNAME AT_ONCE LIMIT_SECONDS DAEMON_PID     with lines "CONTAINER_ID NETNS" on standard input
 *
 * COMMAND is a CNI verb, or "look", which starts nothing. Prints one line for each job, in the order of the jobs:
 *
 *   job ID START_NS END_NS STATUS STDOUT_BYTES LINK MAC IPV4
 *
 * Times are CLOCK_MONOTONIC, from just before the start to the end as waitid(2) reports it. STATUS is the exit status,
 * 128 + signal, or 124 for a job that was killed at the limit. LINK is "yes" or "no": whether IFNAME is in the
 * namespace, looked at right after each job when jobs run one by one, else when all have ended; "-" for VERSION. After
 * a job that failed comes a line "said ID TEXT" with what it printed.
 *
 * With a DAEMON_PID other than 0 a last line says what processor time that process took meanwhile, all its threads and
 * the kernel's work for them, from just before the first start to just after the last end:
 *
 *   cpu NS
 *
 * /proc/PID/stat counts in ticks of 10 ms, which is more than one ADD takes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_JOBS = 4096, MAX_TEXT = 200, MAX_SAID = 400, MAX_ENVIRONMENT = 512, CNI_VARIABLES = 4 };
enum { MAC_BYTES = 6, STATUS_KILLED = 124, STATUS_SIGNALLED = 128, NS_PER_SECOND = 1000000000, POLL_NS = 1000000 };

extern char **environ;

struct job {
  char id[MAX_TEXT + 1];
  char netns[MAX_TEXT + 1];
  pid_t pid;
  int out; /* a memfd: takes whatever is written without a reader that would cost time */
  int64_t start;
  int64_t end;
  int status;
  bool looked;
  bool linked;
  unsigned char mac[MAC_BYTES];
  struct in_addr address;
};

/* An end is noted by its process id: the thread that reaps does not wait for the one that starts. */
struct end {
  pid_t pid;
  int64_t at;
  int status;
};

static struct job jobs[MAX_JOBS];
static struct end ends[MAX_JOBS];
static int job_count;
static int end_count;
static pthread_mutex_t ends_lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t started; /* counts children that have not been waited for */
static sem_t places;  /* counts jobs that may start */

static const char *command;
static const char *ifname;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("driver: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(EXIT_FAILURE);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * NS_PER_SECOND + time.tv_nsec;
}

/* Processor time of all threads of a process, those that have ended included. */
static int64_t cpu_of(pid_t pid) {
  clockid_t clock;
  struct timespec time;
  if (pid == 0) return 0;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) fail("no process %d", (int)pid);
  return (int64_t)time.tv_sec * NS_PER_SECOND + time.tv_nsec;
}

static int number(const char *text, const char *what, int least, int most) {
  char *rest = NULL;
  errno = 0;
  const long value = strtol(text, &rest, 10);
  if (errno != 0 || rest == text || *rest != '\0' || value < least || value > most)
    fail("%s must be %d to %d: %s", what, least, most, text);
  return (int)value;
}

static void read_jobs(void) {
  char line[2 * MAX_TEXT + 16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (job_count == MAX_JOBS) fail("more than %d jobs", MAX_JOBS);
    struct job *job = &jobs[job_count];
    /* The widths are MAX_TEXT. */
    if (sscanf(line, "%200s %200s", job->id, job->netns) != 2) fail("not a job: %s", line);
    job->out = -1;
    job_count++;
  }
}

static void *reap(void *unused) {
  (void)unused;
  for (int at = 0; at < job_count; at++) {
    while (sem_wait(&started) != 0) continue;
    siginfo_t info;
    /* Not reaped yet, so that the number cannot become another process's before it is noted. */
    while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0)
      if (errno != EINTR) fail("waitid: %s", strerror(errno));
    const int64_t at_ns = now();
    pthread_mutex_lock(&ends_lock);
    ends[at].pid = info.si_pid;
    ends[at].at = at_ns;
    ends[at].status = info.si_code == CLD_EXITED ? info.si_status : STATUS_SIGNALLED + info.si_status;
    waitpid(info.si_pid, NULL, 0);
    end_count = at + 1;
    pthread_mutex_unlock(&ends_lock);
    sem_post(&places);
  }
  return NULL;
}

/* The CNI variables of a job before the ones that this program was given. */
static void start(struct job *job, const char *plugin, const char *conf) {
  char variables[CNI_VARIABLES][MAX_TEXT + 32];
  char *environment[MAX_ENVIRONMENT];
  snprintf(variables[0], sizeof variables[0], "CNI_COMMAND=%s", command);
  snprintf(variables[1], sizeof variables[1], "CNI_CONTAINERID=%s", job->id);
  snprintf(variables[2], sizeof variables[2], "CNI_NETNS=%s", job->netns);
  snprintf(variables[3], sizeof variables[3], "CNI_IFNAME=%s", ifname);
  int count = 0;
  for (; count < CNI_VARIABLES; count++) environment[count] = variables[count];
  for (char **entry = environ; *entry != NULL && count < MAX_ENVIRONMENT - 1; entry++) environment[count++] = *entry;
  environment[count] = NULL;

  job->out = memfd_create("stdout", MFD_CLOEXEC);
  if (job->out < 0) fail("memfd_create: %s", strerror(errno));
  char *const arguments[] = {(char *)(uintptr_t)plugin, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, conf, O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, job->out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, job->out, STDERR_FILENO);
  job->start = now();
  const int error = posix_spawn(&job->pid, plugin, &actions, NULL, arguments, environment);
  if (error != 0) fail("%s: %s", plugin, strerror(error));
  sem_post(&started);
  posix_spawn_file_actions_destroy(&actions);
}

/* What the namespace has now. A namespace that cannot be entered has nothing. */
static void look(struct job *job, int own) {
  job->looked = true;
  const int netns = open(job->netns, O_RDONLY | O_CLOEXEC);
  if (netns < 0 || setns(netns, CLONE_NEWNET) != 0) fail("%s: %s", job->netns, strerror(errno));
  close(netns);
  const int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0 || setns(own, CLONE_NEWNET) != 0) fail("cannot look into %s: %s", job->netns, strerror(errno));
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
  job->linked = ioctl(socket_fd, SIOCGIFHWADDR, &request) == 0;
  if (job->linked) memcpy(job->mac, request.ifr_hwaddr.sa_data, MAC_BYTES);
  if (job->linked && ioctl(socket_fd, SIOCGIFADDR, &request) == 0) {
    struct sockaddr_in address;
    memcpy(&address, &request.ifr_addr, sizeof address);
    job->address = address.sin_addr;
  }
  close(socket_fd);
}

/* Takes a place; false when the limit has passed. */
static bool wait_for_place(const struct timespec *limit) {
  for (;;) {
    if (sem_clockwait(&places, CLOCK_MONOTONIC, limit) == 0) return true;
    if (errno == ETIMEDOUT) return false;
    if (errno != EINTR) fail("sem_clockwait: %s", strerror(errno));
  }
}

static bool has_ended(pid_t pid) {
  for (int at = 0; at < end_count; at++)
    if (ends[at].pid == pid) return true;
  return false;
}

static void kill_rest(int started_jobs) {
  pthread_mutex_lock(&ends_lock);
  for (int at = 0; at < started_jobs; at++) {
    if (has_ended(jobs[at].pid)) continue;
    kill(jobs[at].pid, SIGKILL);
    jobs[at].status = STATUS_KILLED;
  }
  pthread_mutex_unlock(&ends_lock);
}

/* Process numbers may come round again within a long run: each end belongs to the first job without one. */
static void match_ends(void) {
  for (int end = 0; end < end_count; end++) {
    for (int at = 0; at < job_count; at++) {
      if (jobs[at].pid != ends[end].pid || jobs[at].end != 0) continue;
      jobs[at].end = ends[end].at;
      if (jobs[at].status == 0) jobs[at].status = ends[end].status;
      break;
    }
  }
}

static void run_all(const char *plugin, const char *conf, int at_once, int limit_seconds, int own) {
  struct timespec limit;
  clock_gettime(CLOCK_MONOTONIC, &limit);
  limit.tv_sec += limit_seconds;
  sem_init(&started, 0, 0);
  sem_init(&places, 0, (unsigned)at_once);
  pthread_t reaper;
  if (pthread_create(&reaper, NULL, reap, NULL) != 0) fail("cannot start a thread");
  int running = 0;
  bool in_time = true;
  while (running < job_count && (in_time = wait_for_place(&limit))) {
    /* One by one: the place that came back is that of the job before. */
    if (at_once == 1 && running > 0 && own >= 0) look(&jobs[running - 1], own);
    start(&jobs[running++], plugin, conf);
  }
  for (int left = 0; in_time && left < at_once; left++) in_time = wait_for_place(&limit);
  if (!in_time) {
    kill_rest(running);
    fprintf(stderr, "driver: %d of %d jobs started within %d s, the rest was killed or not started\n", running, job_count,
            limit_seconds);
    job_count = running;
    /* The thread may wait for jobs that never start; the ends of the killed ones are what counts. */
    for (bool all = false; !all;) {
      pthread_mutex_lock(&ends_lock);
      all = end_count >= running;
      pthread_mutex_unlock(&ends_lock);
      if (!all) nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
  } else {
    pthread_join(reaper, NULL);
  }
  match_ends();
}

static void print_said(const struct job *job) {
  char text[MAX_SAID];
  const ssize_t length = pread(job->out, text, sizeof text - 1, 0);
  if (length <= 0) return;
  for (ssize_t at = 0; at < length; at++)
    if ((unsigned char)text[at] < ' ') text[at] = ' ';
  printf("said %s %.*s\n", job->id, (int)length, text);
}

static void print(const struct job *job) {
  struct stat out = {0};
  if (job->out >= 0) fstat(job->out, &out);
  const unsigned char *mac = job->mac;
  printf("job %s %" PRId64 " %" PRId64 " %d %lld %s %02x:%02x:%02x:%02x:%02x:%02x %s\n", job->id, job->start, job->end,
         job->status, (long long)out.st_size, !job->looked ? "-" : job->linked ? "yes" : "no", mac[0], mac[1], mac[2], mac[3],
         mac[4], mac[5], inet_ntoa(job->address));
  if (job->status != 0 && job->out >= 0) print_said(job);
}

int main(int argc, char **argv) {
  if (argc != 8) fail("wants COMMAND PLUGIN CONF IFNAME AT_ONCE LIMIT_SECONDS DAEMON_PID");
  command = argv[1];
  ifname = argv[4];
  const int at_once = number(argv[5], "AT_ONCE", 1, MAX_JOBS);
  const int limit_seconds = number(argv[6], "LIMIT_SECONDS", 1, 3600);
  const pid_t daemon = number(argv[7], "DAEMON_PID", 0, INT32_MAX);
  read_jobs();
  const bool looks = strcmp(command, "VERSION") != 0;
  const int own = looks ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
  const int64_t before = cpu_of(daemon);
  if (strcmp(command, "look") != 0) run_all(argv[2], argv[3], at_once, limit_seconds, own);
  const int64_t used = cpu_of(daemon) - before;
  for (int at = 0; at < job_count; at++) {
    if (looks && !jobs[at].looked) look(&jobs[at], own);
    print(&jobs[at]);
  }
  if (daemon != 0) printf("cpu %" PRId64 "\n", used);
  return EXIT_SUCCESS;
}
