import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pki } from './kube-api.ts';

const ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount';
/** One of the places where a node may have it, and not on this machine: /var/lib is the daemon's own here. */
const KUBECONFIG = '/var/lib/kubelet/kubeconfig';
const TOKEN = 'abc';
/** Nobody is there: the resolvers are away. */
const RESOLV_CONF = 'nameserver 127.0.0.53\nnameserver 127.0.0.54\nsearch home.arpa\n';

/** A pod of a DaemonSet on the network of its node, as far as files go. */
export type DaemonSetPod = {
  /** The kubelet's kubeconfig, mounted as this one file. */
  readonly kubeconfig: string;
  readonly token: string;
  /** Stands before the daemon's command. */
  readonly within: readonly string[];
  /** The same after a reboot, for the daemon. */
  readonly rebooted: () => Promise<readonly string[]>;
};

/** Whose files these are: a kubelet's. The certificates are not there for a container. */
export function kubeconfigOf(server: string): string {
  return [
    'apiVersion: v1\nkind: Config\nclusters:\n- name: local\n  cluster:',
    `    server: ${server}`,
    '    certificate-authority: /etc/kubernetes/pki/ca.crt\nusers:\n- name: user\n  user:',
    '    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem',
    '    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem\n',
  ].join('\n');
}

/** With an empty kubeconfig, as hostPath's `FileOrCreate` leaves one. */
export async function daemonSetPod(folder: string, pki: Pki): Promise<DaemonSetPod> {
  const [account, kubeconfig, netns] = ['account', 'kubelet.kubeconfig', 'netns'].map((name) =>
    join(folder, name),
  );
  if (account === undefined || kubeconfig === undefined || netns === undefined)
    throw new Error('three paths');
  await mkdir(account);
  await mkdir(netns);
  await writeFile(join(account, 'token'), TOKEN);
  await writeFile(join(account, 'ca.crt'), await pki.text('ca.crt'));
  await writeFile(kubeconfig, '');
  const resolver = join(folder, 'resolv.conf');
  await writeFile(resolver, RESOLV_CONF);
  const mounted = [
    // Whoever has the tmpfs on /run still hears of pods that come later.
    `mount --rbind /run/netns ${netns}; mount -t tmpfs tmpfs /run; mkdir -p /run/netns ${ACCOUNT}`,
    `mount --rbind ${netns} /run/netns; mount --bind ${account} ${ACCOUNT}`,
    `mount -t tmpfs tmpfs /var/lib; mkdir -p $(dirname ${KUBECONFIG}); touch ${KUBECONFIG}`,
    `mount --bind ${kubeconfig} ${KUBECONFIG}`,
    // It may be a link into /run.
    `at=$(readlink -m /etc/resolv.conf); mkdir -p $(dirname $at); test -e $at || touch $at; mount --bind ${resolver} $at`,
  ];
  const within = (...more: readonly string[]): readonly string[] => {
    const script = [...mounted, ...more, 'exec "$@"'].join('\n');
    return ['unshare', '--mount', '--propagation=slave', 'sh', '-euc', script, 'sh'];
  };
  return {
    kubeconfig,
    token: TOKEN,
    within: within(),
    rebooted: async () => {
      const bootId = join(folder, 'boot_id');
      await writeFile(bootId, `${randomUUID()}\n`);
      return within(`mount --bind ${bootId} /proc/sys/kernel/random/boot_id`);
    },
  };
}
