import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import { CACHE } from '../cache.ts';
import type { Machine } from './machine.ts';

/** What scripts/e2e/podman.sh has unpacked. */
export const PODMAN_FILES = join(CACHE, 'podman');
/** Archives of the OCI. */
const ARCHIVES = ['who.tar', 'pause.tar'];
/** An HTTP server, and busybox. */
export const IMAGE = 'localhost/who:1';
/** A program that waits, and ends when it is told to. */
export const PAUSE_IMAGE = 'localhost/pause:1';
export const SERVE = ['serve', '8080'] as const;
export const PORT = 8080;

/** No journal and no systemd here, and limits that may not be raised; the network is CNI's, as docs/podman.md has it. */
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
`;
/** vfs: the disk of the machine may lie on an overlay. */
const STORAGE_CONF = `[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
`;
const POLICY = { default: [{ type: 'insecureAcceptAnything' }] };

const networksSchema = v.record(
  v.string(),
  v.object({ IPAddress: v.string(), IPPrefixLen: v.number(), Gateway: v.string(), MacAddress: v.string() }),
);

/** What `podman inspect` shows of a container on one network. */
export type ShownNetwork = {
  readonly address: Ipv4;
  readonly prefix: number;
  readonly gateway: string;
  readonly mac: Mac;
};

/** podman of a machine, at its default folders. */
export class Podman {
  readonly machine: Machine;

  private constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Configures it and gives it the image. */
  static async setUp(machine: Machine): Promise<Podman> {
    const etc = machine.path('/etc/containers');
    await mkdir(etc, { recursive: true });
    await writeFile(join(etc, 'containers.conf'), CONTAINERS_CONF);
    await writeFile(join(etc, 'storage.conf'), STORAGE_CONF);
    await writeFile(join(etc, 'policy.json'), JSON.stringify(POLICY));
    const podman = new Podman(machine);
    for (const archive of ARCHIVES)
      await podman.run('load', '--quiet', '--input', join(CACHE, 'images', archive));
    return podman;
  }

  /** Throws when it fails; resolves with what it printed. */
  async run(...args: readonly string[]): Promise<string> {
    return await this.machine.run('podman', ...args);
  }

  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.run(...args));
  }

  /** A container that serves, in the background. */
  async serve(name: string, ...options: readonly string[]): Promise<void> {
    await this.run('run', '--detach', '--name', name, ...options, IMAGE, ...SERVE);
  }

  /** Ended at once. */
  async remove(...names: readonly string[]): Promise<void> {
    await this.run('rm', '--force', '--time', '0', ...names);
  }

  async networkOf(container: string, network: string): Promise<ShownNetwork> {
    const networks = await this.json('inspect', container, '--format', '{{json .NetworkSettings.Networks}}');
    const shown = v.parse(networksSchema, networks)[network];
    if (shown === undefined)
      throw new Error(`${container} is not on ${network}: ${JSON.stringify(networks)}`);
    return {
      address: ipv4(shown.IPAddress),
      prefix: shown.IPPrefixLen,
      gateway: shown.Gateway,
      mac: mac(shown.MacAddress),
    };
  }

  async addressOf(container: string, network: string): Promise<Ipv4> {
    return (await this.networkOf(container, network)).address;
  }

  async statusOf(container: string): Promise<string> {
    return await this.run('inspect', container, '--format', '{{.State.Status}}');
  }
}
