/** The name under which systemd knows the daemon. */
export const UNIT = 'leasehold.service';
/** systemd.unit(5): where an administrator's units lie, and the folder whose links are what "enabled" means. */
export const UNIT_FOLDER = '/etc/systemd/system';
export const WANTS_FOLDER = `${UNIT_FOLDER}/multi-user.target.wants`;
/** What systemd makes for the unit (CacheDirectory=, RuntimeDirectory=). */
export const CACHE_FOLDER = '/var/cache/leasehold';
export const RUNTIME_FOLDER = '/run/leasehold';
/** Foreign IPAM plugins that the daemon calls (host-local) write there. */
export const CNI_STATE_FOLDER = '/var/lib/cni';

export type UnitOptions = {
  /** The folder of the program. */
  readonly tree: string;
  readonly configPath: string | undefined;
  readonly serviceCidrs: readonly string[];
};

/** Each with the reason why the daemon needs it; everything else is taken away. */
const CAPABILITIES = [
  // Links, addresses, routes, neighbours, nftables, sysctls of interfaces.
  'CAP_NET_ADMIN',
  // Packet sockets: ARP and what arrives before there is an address.
  'CAP_NET_RAW',
  // UDP port 68.
  'CAP_NET_BIND_SERVICE',
  // Notices of links in the pods' network namespaces (NETLINK_LISTEN_ALL_NSID).
  'CAP_NET_BROADCAST',
  // setns(2) into the pods' network namespaces.
  'CAP_SYS_ADMIN',
  // /proc/PID/ns/net of a container's process.
  'CAP_SYS_PTRACE',
] as const;

/** systemd.syntax(7): % begins a specifier, $ a variable in a command line; quoted for spaces. */
function argument(text: string): string {
  return `"${text
    .replaceAll(/["\\]/g, String.raw`\$&`)
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')}"`;
}

function path(text: string): string {
  return text.replaceAll('%', '%%');
}

/** The unit of the daemon. Every line that restricts it is explained in docs/install.md. */
export function unitText({ tree, configPath, serviceCidrs }: UnitOptions): string {
  const command = [
    `${tree}/bin/leasehold`,
    'daemon',
    ...(configPath === undefined ? [] : ['--config', configPath]),
    ...serviceCidrs.flatMap((network) => ['--service-cidr', network]),
  ];
  return `# Written by "leasehold install"; "leasehold uninstall" removes it. Changes of your own: systemctl edit ${UNIT}
[Unit]
Description=Leasehold: addresses for containers from the DHCP server of the LAN
Documentation=file:${path(tree)}/docs/install.md
After=network.target local-fs.target
# A node without its daemon is out of service: it is tried for ever.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=${command.map(argument).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
# Requests that came while it was away are settled before it is ready.
TimeoutStartSec=300
TimeoutStopSec=15
# The last to be killed when memory is short: pods lose their addresses without it.
OOMScoreAdjust=-500

StateDirectory=leasehold
StateDirectoryMode=0700
CacheDirectory=leasehold
RuntimeDirectory=leasehold
RuntimeDirectoryMode=0700
# The relay leaves requests beside the socket while the daemon is away.
RuntimeDirectoryPreserve=yes
Environment=NODE_COMPILE_CACHE=${CACHE_FOLDER}
UMask=0077

CapabilityBoundingSet=${CAPABILITIES.join(' ')}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=-${CNI_STATE_FOLDER}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_PACKET AF_INET AF_INET6
RestrictNamespaces=net
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=setns
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}
