import type { Json } from '../../base/json.ts';
import type { dhcpSectionEntries, LeaseholdKey } from './shape.ts';

/**
 * What the keys mean, for the JSON Schema that is shipped (schema/leasehold.schema.json) and the page
 * docs/configuration.md. The daemon does not load it.
 */
export type Described = {
  /** For people, in a sentence or two. */
  readonly description: string;
  /** What is true where the key is not there; left out where that is nothing, or the daemon's word. */
  readonly default?: Json;
  readonly examples: readonly Json[];
};

export const KEYS_DESCRIBED: Readonly<Record<LeaseholdKey, Described>> = {
  mode: {
    description: 'How the pod gets its interface. "macvlan" is the only mode there is yet.',
    default: 'macvlan',
    examples: ['macvlan'],
  },
  master: {
    description:
      'The interface of the node on the LAN. "auto" takes the one with the default route; a name, which may be an alternative one (ip link property); a list of names, of which the first that is up and has a carrier is taken; or a pattern with * and ?.',
    default: 'auto',
    examples: ['auto', 'eth0', ['eth0', 'eth1'], 'en*'],
  },
  mtu: {
    description:
      "The MTU of the interface in the pod, at most that of the master. Without it: the master's, or what the DHCP server says (option 26) if that is less.",
    examples: [1400],
  },
  mac: {
    description:
      'The MAC address of the pod\'s interface: "random" (another one each time), "pod" (made from namespace and name of the pod, the same each time), or an address. Without it: what "identity" says, else the daemon\'s file.',
    examples: ['pod', 'random', '02:00:5e:10:00:01'],
  },
  dhcp: {
    description:
      "What the DHCP client says and asks for. Each key takes the place of the same one in the daemon's file.",
    default: {},
    examples: [{ hostname: '{pod}' }, { clientId: 'pod', servers: ['192.168.2.1'] }],
  },
  identity: {
    description:
      'Who the pod is to the DHCP server. "pod": the same client after each restart, for an address that stays ("clientId" and "mac" of that policy); "container": a new client for each container; "anonymous": nothing that is sent says which pod it is or was (RFC 7844, docs/identity.md). "dhcp.clientId" and "mac" win over it, and are refused beside "anonymous". Without it: what the daemon\'s file says, else "container".',
    default: 'container',
    examples: ['pod', 'anonymous'],
  },
  hostAccess: {
    description: 'Whether the node and its pods reach each other, which a macvlan alone prevents.',
    default: true,
    examples: [false],
  },
  services: {
    description:
      'Networks of cluster services that the pod reaches through the node: "auto" for those that the daemon knows, "off", or IPv4 networks.',
    default: 'auto',
    examples: ['auto', 'off', '10.43.0.0/16', ['10.43.0.0/16']],
  },
  lastHop: {
    description:
      "Whether connections are answered by the way they came, so that services with the client's address kept (externalTrafficPolicy: Local) work from the LAN.",
    default: true,
    examples: [false],
  },
  routes: {
    description:
      'Which routes of the lease the pod gets: "all"; "subnet", only that to the network of its address; "none". As an object also with a metric, or in a routing table of their own with a rule for what comes from the address, so that a second interface answers by itself.',
    default: 'all',
    examples: ['all', 'subnet', 'none', { table: 100 }, { use: 'all', metric: 200 }],
  },
  conflictCheck: {
    description:
      'Whether it is looked whether somebody else has the address (RFC 5227): "off", in the "background", or "before" the container starts.',
    default: 'background',
    examples: ['before'],
  },
  chained: {
    description:
      'The interface and its address are those of the plugin before this one in the list; only hostAccess, services and lastHop are done for it.',
    default: false,
    examples: [true],
  },
};

export const DHCP_DESCRIBED: Readonly<Record<keyof typeof dhcpSectionEntries, Described>> = {
  clientId: {
    description:
      'Option 61, what the server knows the client by: "container", "pod", "mac", "duid" or "anonymous" (docs/identity.md), text, or 0x and hex digits.',
    default: 'container',
    examples: ['pod', '0x0102005e100001'],
  },
  hostname: {
    description: 'Option 12, with {pod}, {namespace}, {container}, {ifname}, {node} and {network}.',
    examples: ['{pod}'],
  },
  fqdn: {
    description: 'Option 81: a name as "hostname" has it, and who writes it into the DNS.',
    examples: ['{pod}.{namespace}.example.org', { name: '{pod}', update: 'none' }],
  },
  send: {
    description: 'Options to send, by name or code (docs/dhcp-options.md).',
    default: {},
    examples: [{ 'vendor-class-identifier': 'lab' }, { '224': { hex: '0102' } }],
  },
  request: {
    description: 'Options to ask for besides the usual ones, by name or code.',
    default: [],
    examples: [['ntp-servers', 43]],
  },
  servers: {
    description:
      'Only these DHCP servers may answer: each answer must name one of them (option 54) and come from its address, or from one of "relays".',
    examples: [['192.168.2.1']],
  },
  relays: {
    description:
      'Beside "servers": further addresses from which their answers may come, those of the relay agents of this LAN.',
    default: [],
    examples: [['192.168.2.254']],
  },
  conflictCheck: {
    description: 'The same as "conflictCheck" beside "dhcp", where it belongs.',
    default: 'background',
    examples: ['before'],
  },
  ipv6Only: {
    description: 'Do without IPv4 where the network says so (option 108, RFC 8925).',
    default: false,
    examples: [true],
  },
  broadcast: {
    description: 'Whether the server is asked to answer by broadcast.',
    default: 'auto',
    examples: ['always'],
  },
  rapidCommit: {
    description: 'Whether the exchange of two messages is offered (RFC 4039).',
    default: true,
    examples: [false],
  },
  forceRenew: {
    description:
      'Whether a server may ask for a renewal by FORCERENEW (RFC 3203), authenticated by a nonce that it gives with the lease (RFC 6704).',
    default: true,
    examples: [false],
  },
  provide: {
    description: "The Go plugin's key: options to send, with values that may come from CNI_ARGS.",
    default: [],
    examples: [[{ option: 'host-name', fromArg: 'K8S_POD_NAME' }]],
  },
};
