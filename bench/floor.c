/*
 * What the kernel itself takes for a container's interface, by the fewest calls that make one: the floor below every
 * plugin, beside the start of a process and the time of the DHCP server.
 *
 *   floor UPLINK IFNAME ADDRESS/PREFIX GATEWAY     with the path of a network namespace on each line of standard input
 *
 * Prints one line for each namespace, in nanoseconds of CLOCK_MONOTONIC:
 *
 *   floor LINK_NS ENTER_NS ADDRESS_NS
 *
 * LINK: RTM_NEWLINK on a netlink socket that is open already, until its acknowledgement: a macvlan in mode bridge on
 * UPLINK, in the namespace from the first moment on, with its final name, a MAC address of its own, and up.
 * ENTER: into the namespace, a netlink socket there, the interface's index, and back: no address can be put from outside.
 * ADDRESS: one sendmsg with RTM_NEWADDR and RTM_NEWROUTE (a default route), until both acknowledgements.
 *
 * Not in it: opening the namespace's path, sysctls, announcements, and removing the link, which is done between
 * namespaces and not timed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MESSAGE = 512, MAX_PATH = 300, MAX_PREFIX = 32, MAC_BYTES = 6, NS_PER_SECOND = 1000000000 };
/* An address of a range that nobody gives out ("locally administered"), numbered by namespace. */
enum { MAC_FIRST = 0x02, MAC_SECOND = 0x4c, MAC_THIRD = 0x48, BITS_PER_BYTE = 8, BYTE_MASK = 0xff };

struct message {
  char bytes[MAX_MESSAGE] __attribute__((aligned(NLMSG_ALIGNTO)));
  uint32_t length;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("floor: ", stderr);
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

/* Room for so many bytes at the end of the message, aligned and zeroed. */
static void *add(struct message *message, size_t length) {
  const uint32_t at = NLMSG_ALIGN(message->length);
  if (at + length > sizeof message->bytes) fail("the message is too long");
  message->length = at + (uint32_t)length;
  return memset(message->bytes + at, 0, length);
}

static uint32_t begin(struct message *message, uint16_t type, uint16_t flags) {
  struct nlmsghdr *header = add(message, sizeof *header);
  header->nlmsg_type = type;
  header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  return (uint32_t)((char *)header - message->bytes);
}

static void end(struct message *message, uint32_t began) {
  struct nlmsghdr *header = (void *)(message->bytes + began);
  header->nlmsg_len = message->length - began;
}

static void attribute(struct message *message, uint16_t type, const void *data, size_t length) {
  struct rtattr *header = add(message, RTA_LENGTH(length));
  header->rta_type = type;
  header->rta_len = (uint16_t)RTA_LENGTH(length);
  memcpy(RTA_DATA(header), data, length);
}

static uint32_t nest(struct message *message, uint16_t type) {
  const uint32_t at = NLMSG_ALIGN(message->length);
  attribute(message, type, NULL, 0);
  return at;
}

static void close_nest(struct message *message, uint32_t at) {
  struct rtattr *header = (void *)(message->bytes + at);
  header->rta_len = (uint16_t)(message->length - at);
}

static int open_netlink(void) {
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) fail("socket: %s", strerror(errno));
  return netlink;
}

/* Sends the requests and waits for so many acknowledgements. */
static void ask(int netlink, const struct message *message, int answers, const char *what) {
  char bytes[8 * MAX_MESSAGE] __attribute__((aligned(NLMSG_ALIGNTO)));
  if (send(netlink, message->bytes, message->length, 0) != (ssize_t)message->length) fail("%s: %s", what, strerror(errno));
  while (answers > 0) {
    ssize_t left = recv(netlink, bytes, sizeof bytes, 0);
    if (left < 0) fail("%s: %s", what, strerror(errno));
    for (struct nlmsghdr *header = (void *)bytes; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type != NLMSG_ERROR) fail("%s: an answer of type %d", what, header->nlmsg_type);
      const struct nlmsgerr *error = NLMSG_DATA(header);
      if (error->error != 0) fail("%s: %s", what, strerror(-error->error));
      answers--;
    }
  }
}

static void make_link(int netlink, uint32_t uplink, const char *ifname, int netns, unsigned number) {
  struct message message = {0};
  const uint32_t began = begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  struct ifinfomsg *link = add(&message, sizeof *link);
  link->ifi_flags = IFF_UP;
  link->ifi_change = IFF_UP;
  const unsigned char mac[MAC_BYTES] = {MAC_FIRST, MAC_SECOND, MAC_THIRD, 0, (number >> BITS_PER_BYTE) & BYTE_MASK, number & BYTE_MASK};
  attribute(&message, IFLA_IFNAME, ifname, strlen(ifname) + 1);
  attribute(&message, IFLA_ADDRESS, mac, sizeof mac);
  attribute(&message, IFLA_LINK, &uplink, sizeof uplink);
  attribute(&message, IFLA_NET_NS_FD, &netns, sizeof netns);
  const uint32_t info = nest(&message, IFLA_LINKINFO);
  attribute(&message, IFLA_INFO_KIND, "macvlan", strlen("macvlan"));
  const uint32_t data = nest(&message, IFLA_INFO_DATA);
  const uint32_t mode = MACVLAN_MODE_BRIDGE;
  attribute(&message, IFLA_MACVLAN_MODE, &mode, sizeof mode);
  close_nest(&message, data);
  close_nest(&message, info);
  end(&message, began);
  ask(netlink, &message, 1, "RTM_NEWLINK");
}

/* A netlink socket of the namespace, and the interface's index there. */
static int enter(int netns, int own, const char *ifname, int *index) {
  if (setns(netns, CLONE_NEWNET) != 0) fail("setns: %s", strerror(errno));
  const int netlink = open_netlink();
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", ifname);
  if (ioctl(netlink, SIOCGIFINDEX, &request) != 0) fail("%s: %s", ifname, strerror(errno));
  *index = request.ifr_ifindex;
  if (setns(own, CLONE_NEWNET) != 0) fail("setns: %s", strerror(errno));
  return netlink;
}

struct configuration {
  struct in_addr address;
  struct in_addr gateway;
  unsigned char prefix;
};

static void configure(int netlink, int index, const struct configuration *wanted) {
  struct message message = {0};
  uint32_t began = begin(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  struct ifaddrmsg *address = add(&message, sizeof *address);
  address->ifa_family = AF_INET;
  address->ifa_prefixlen = wanted->prefix;
  address->ifa_index = (uint32_t)index;
  attribute(&message, IFA_LOCAL, &wanted->address, sizeof wanted->address);
  attribute(&message, IFA_ADDRESS, &wanted->address, sizeof wanted->address);
  end(&message, began);
  message.length = NLMSG_ALIGN(message.length);
  began = begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  struct rtmsg *route = add(&message, sizeof *route);
  route->rtm_family = AF_INET;
  route->rtm_table = RT_TABLE_MAIN;
  route->rtm_protocol = RTPROT_DHCP;
  route->rtm_scope = RT_SCOPE_UNIVERSE;
  route->rtm_type = RTN_UNICAST;
  attribute(&message, RTA_GATEWAY, &wanted->gateway, sizeof wanted->gateway);
  attribute(&message, RTA_OIF, &index, sizeof index);
  end(&message, began);
  ask(netlink, &message, 2, "RTM_NEWADDR and RTM_NEWROUTE");
}

static void remove_link(int netlink, int index) {
  struct message message = {0};
  const uint32_t began = begin(&message, RTM_DELLINK, 0);
  struct ifinfomsg *link = add(&message, sizeof *link);
  link->ifi_index = index;
  end(&message, began);
  ask(netlink, &message, 1, "RTM_DELLINK");
}

static void measure(int netlink, int own, uint32_t uplink, const char *ifname, const char *path,
                    const struct configuration *wanted, unsigned number) {
  const int netns = open(path, O_RDONLY | O_CLOEXEC);
  if (netns < 0) fail("%s: %s", path, strerror(errno));
  int index = 0;
  const int64_t begun = now();
  make_link(netlink, uplink, ifname, netns, number);
  const int64_t made = now();
  const int inside = enter(netns, own, ifname, &index);
  const int64_t entered = now();
  configure(inside, index, wanted);
  const int64_t configured = now();
  remove_link(inside, index);
  close(inside);
  close(netns);
  printf("floor %" PRId64 " %" PRId64 " %" PRId64 "\n", made - begun, entered - made, configured - entered);
}

static struct configuration read_configuration(char *cidr, const char *gateway) {
  struct configuration wanted = {0};
  char *slash = strchr(cidr, '/');
  char *rest = NULL;
  if (slash == NULL) fail("not an address with a prefix: %s", cidr);
  *slash = '\0';
  const unsigned long prefix = strtoul(slash + 1, &rest, 10);
  if (rest == slash + 1 || *rest != '\0' || prefix > MAX_PREFIX) fail("not a prefix: %s", slash + 1);
  wanted.prefix = (unsigned char)prefix;
  if (inet_pton(AF_INET, cidr, &wanted.address) != 1) fail("not an address: %s", cidr);
  if (inet_pton(AF_INET, gateway, &wanted.gateway) != 1) fail("not an address: %s", gateway);
  return wanted;
}

int main(int argc, char **argv) {
  if (argc != 5) fail("wants UPLINK IFNAME ADDRESS/PREFIX GATEWAY");
  const struct configuration wanted = read_configuration(argv[3], argv[4]);
  const uint32_t uplink = if_nametoindex(argv[1]);
  if (uplink == 0) fail("%s: %s", argv[1], strerror(errno));
  const int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (own < 0) fail("/proc/self/ns/net: %s", strerror(errno));
  const int netlink = open_netlink();
  char path[MAX_PATH];
  for (unsigned number = 1; fgets(path, sizeof path, stdin) != NULL; number++) {
    path[strcspn(path, "\n")] = '\0';
    measure(netlink, own, uplink, argv[2], path, &wanted, number);
  }
  return EXIT_SUCCESS;
}
