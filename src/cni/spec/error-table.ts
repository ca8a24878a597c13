/** One row of docs/errors.md. A test compares that page with this table, both ways. */
export type ErrorEntry = { readonly code: number; readonly meaning: string; readonly remedy: string };

export type ErrorName = keyof typeof ERRORS;

/**
 * Every error that a CNI verb can answer with. Codes up to 99 belong to the CNI spec ("Error" and "STATUS"), from
 * 100 on they are ours, except 999, which is what the Go plugins answer when they have no better code.
 * There is one code for each thing that a person does something different about. A number is never used again.
 */
export const ERRORS = {
  'incompatible-version': {
    code: 1,
    meaning:
      'The configuration states a CNI version that is not supported, or one that does not have the verb.',
    remedy:
      'Set cniVersion to one of the versions that the VERSION verb lists; CHECK needs 0.4.0, GC and STATUS 1.1.0.',
  },
  'unsupported-field': {
    code: 2,
    meaning: 'The configuration has a key that asks for something that is not offered.',
    remedy: 'Remove the key that the message names.',
  },
  'unknown-container': {
    code: 3,
    meaning:
      'The network namespace of the container is not there any more, or the container was never attached.',
    remedy:
      "Nothing for a container that ended; else check CNI_NETNS, and that the daemon sees the host's /run and /proc.",
  },
  'invalid-env': {
    code: 4,
    meaning: 'A CNI_* variable is missing or its value cannot be used.',
    remedy: 'Set the variables that the message names; a runtime does this by itself.',
  },
  'io-failure': {
    code: 5,
    meaning: 'Reading the request or writing the answer failed.',
    remedy: 'See the message for the file or socket; the runtime may try again.',
  },
  'not-decodable': {
    code: 6,
    meaning: 'What came on stdin is not JSON text within the limits (1 MiB, UTF-8, 64 levels).',
    remedy: 'Check the configuration file with a JSON tool.',
  },
  'invalid-config': {
    code: 7,
    meaning: 'The configuration is JSON, but a key is missing or has a value that cannot be used.',
    remedy: 'Correct the key that the message names.',
  },
  'try-again': {
    code: 11,
    meaning: 'A passing condition: the daemon is away, starting, stopping, or busy with the same attachment.',
    remedy:
      'The plugin has waited 5 s for a daemon that is starting. The runtime tries again; if it stays, see whether the daemon (leasehold daemon) runs on this node.',
  },
  'not-available': {
    code: 50,
    meaning: 'STATUS: no container can be attached now; those that run go on.',
    remedy: 'Start the daemon, or mend what the message names.',
  },
  'limited-connectivity': {
    code: 51,
    meaning:
      'STATUS: no container can be attached now, and those that run are cut off: the uplink is gone, switched off or without carrier.',
    remedy:
      'See the uplink in ip link: it has to be there, switched on and with a carrier; then all go on with the addresses that they have.',
  },

  'uplink-missing': {
    code: 100,
    meaning: 'The interface to attach to does not exist, or there is no default route to find it by.',
    remedy: 'Set "master" to an interface that ip link shows on this node.',
  },
  'uplink-down': {
    code: 101,
    meaning: 'The interface to attach to is switched off, and no DHCP server can be asked through it.',
    remedy: 'Switch it on: ip link set NAME up, and have the network configuration of the host do so.',
  },
  'uplink-no-carrier': {
    code: 102,
    meaning: 'The interface to attach to is on, but has no link to the other side.',
    remedy: "Check the cable, the switch port, or the virtual machine's network.",
  },
  'interface-exists': {
    code: 103,
    meaning: 'The container already has an interface of the name in CNI_IFNAME.',
    remedy: 'Use another name for this attachment, or remove the interface that is there.',
  },
  'not-a-namespace': {
    code: 104,
    meaning: 'CNI_NETNS names something that is not the network namespace of a container.',
    remedy:
      "Give the path of a network namespace other than the host's, such as /run/netns/NAME or /proc/PID/ns/net.",
  },
  'mtu-too-large': {
    code: 105,
    meaning: 'The MTU asked for is larger than that of the interface to attach to.',
    remedy: 'Lower "mtu", leave it out to take the uplink\'s, or raise that of the uplink.',
  },
  'mac-in-use': {
    code: 106,
    meaning: 'Another interface on the same uplink already has the MAC address asked for.',
    remedy: 'Ask for another MAC address, or none.',
  },
  'link-failed': {
    code: 107,
    meaning: 'The kernel refused to make, change or remove the interface.',
    remedy: "See the kernel's reason in the message.",
  },
  'address-failed': {
    code: 108,
    meaning: 'The kernel refused to set or remove an address.',
    remedy: "See the kernel's reason in the message; for IPv6 see whether it is disabled in the container.",
  },
  'route-failed': {
    code: 109,
    meaning: 'A route could not be set or removed.',
    remedy: 'See the route and the reason in the message; a gateway must be on a network of the interface.',
  },
  'kernel-unsupported': {
    code: 110,
    meaning: 'The kernel of this node lacks what is needed, such as macvlan.',
    remedy: 'Load the module that the message names (modprobe), or install the full kernel package.',
  },
  'not-permitted': {
    code: 111,
    meaning: 'The daemon, or the plugin loopback, lacks the right to do this.',
    remedy: 'Run it as root, or with CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN.',
  },
  'host-side-failed': {
    code: 112,
    meaning:
      'The pod has its address, but the node cannot or must not be made to reach it, or the pod its services.',
    remedy:
      'See the reason in the message and leasehold doctor; "hostAccess": false attaches the pod to the LAN alone.',
  },
  'not-chainable': {
    code: 113,
    meaning:
      'The interface that the plugin before made, or its address, is none that the node can be connected to.',
    remedy:
      'Chain "leasehold" behind a macvlan of mode bridge on an interface of this node, with a free address of the node\'s network there.',
  },

  'dhcp-no-answer': {
    code: 120,
    meaning: 'No DHCP server answered in time.',
    remedy:
      'See the diagnosis; check that the server runs, and that the switch or hypervisor lets frames with other MAC addresses pass.',
  },
  'dhcp-refused': {
    code: 121,
    meaning: 'The DHCP server refused (DHCPNAK).',
    remedy: 'Ask for no address or another one, and check the pools and reservations of the server.',
  },
  'dhcp-unusable': {
    code: 122,
    meaning: 'DHCP servers answered, but no answer could be used.',
    remedy: 'See in the diagnosis why each was not taken, and correct the server.',
  },

  'store-not-writable': {
    code: 130,
    meaning: 'The lease cannot be kept: the state folder is read-only, full, or not ours.',
    remedy: 'Free space, or give the daemon a folder that it can write: --state-dir.',
  },

  'ipam-not-found': {
    code: 140,
    meaning: 'The IPAM plugin that the configuration names is in no folder of CNI_PATH.',
    remedy: 'Install the plugin, or correct "ipam.type" or CNI_PATH.',
  },
  'ipam-failed': {
    code: 141,
    meaning: 'The IPAM plugin failed, or its answer could not be used.',
    remedy: "See the plugin's own error in the message.",
  },

  'check-mismatch': {
    code: 150,
    meaning: "CHECK: the container's network is not what ADD left behind.",
    remedy: 'Restart the container; see in the message what differs.',
  },

  'cancelled-by-del': {
    code: 160,
    meaning: 'The ADD was given up because a DEL for the same attachment came.',
    remedy: 'Nothing; the runtime removed the container while it was being attached.',
  },

  'plugin-unknown': {
    code: 170,
    meaning: 'The daemon was called under the name of a plugin that it does not have.',
    remedy: 'Correct "type" in the configuration, or remove the link of that name.',
  },

  internal: {
    code: 999,
    meaning: 'A mistake in Leasehold itself.',
    remedy: "Report it with the daemon's log.",
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>;
