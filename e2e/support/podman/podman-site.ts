import { join } from 'node:path';
import { after, before } from 'node:test';
import * as v from 'valibot';
import { getOverSocket } from '../../../src/lab/daemon.ts';
import { HomeLan, type HomeLanOptions } from '../../../src/lab/home-lan.ts';
import type { ServerLease } from '../../../src/lab/lease-files.ts';
import type { Mac } from '../../../src/base/mac.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import type { Outcome } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { ROOT } from '../../../tests/support/leasehold.ts';
import { Machine, type Service } from './machine.ts';
import { Podman, PODMAN_FILES, PORT } from './podman.ts';
import { program } from '../cache.ts';

const FIRST_LEASES_DEADLINE_MS = 20_000;
const leasesSchema = v.array(v.object({ address: v.nullable(v.string()) }));
const HTTP_OK = 200;
/** What `who get` prints: each answer with how often it came. */
const saidSchema = v.object({ seen: v.record(v.string(), v.number()) });

/** A home with a laptop and a machine that has podman, with the containers' leases as the server has them. */
export class PodmanSite implements AsyncDisposable {
  readonly lan: HomeLan;
  readonly machine: Machine;
  readonly podman: Podman;
  #daemon: Service | undefined;

  private constructor(lan: HomeLan, machine: Machine, podman: Podman) {
    this.lan = lan;
    this.machine = machine;
    this.podman = podman;
  }

  static async open(options: HomeLanOptions): Promise<PodmanSite> {
    const lan = await HomeLan.create(options);
    let machine: Machine | undefined;
    try {
      machine = await Machine.boot(lan, lan.node, PODMAN_FILES);
      return new PodmanSite(lan, machine, await Podman.setUp(machine));
    } catch (error) {
      await machine?.[Symbol.asyncDispose]();
      await lan[Symbol.asyncDispose]();
      throw error;
    }
  }

  get laptop(): Namespace {
    return this.lan.laptop.namespace;
  }

  /** `leasehold install` from the checkout; nothing is started where there is no systemd. */
  async install(cniBin: string, ...options: readonly string[]): Promise<Outcome> {
    const command = [join(ROOT, 'bin', 'leasehold'), 'install', '--no-service', '--cni-bin', cniBin];
    return await this.machine.runToEnd([...command, ...options]);
  }

  async startDaemon(): Promise<void> {
    const daemon = await this.machine.start('leasehold', ['leasehold', 'daemon']);
    this.#daemon = daemon;
    await waitFor('the daemon to be ready', async () => (await this.#get('/readyz')) !== undefined, {
      deadlineMs: FIRST_LEASES_DEADLINE_MS,
      describe: async () => await this.machine.log(daemon),
    });
  }

  async stopDaemon(signal: 'TERM' | 'KILL' = 'TERM'): Promise<void> {
    if (this.#daemon !== undefined) await this.machine.end(this.#daemon, signal);
    this.#daemon = undefined;
  }

  /** Leases of the daemon, by its own API: addresses. */
  async daemonAddresses(): Promise<readonly string[]> {
    const leases = v.parse(leasesSchema, JSON.parse((await this.#get('/v1/leases')) ?? '[]'));
    return leases.flatMap(({ address }) => (address === null ? [] : [address])).sort();
  }

  /** What the server has for a container. */
  async leaseOf(address: Mac): Promise<ServerLease | undefined> {
    return (await this.lan.server.leases()).find((lease) => lease.mac === address);
  }

  /** Addresses that the server has given to others than the node and the laptop. */
  async containerLeases(): Promise<readonly string[]> {
    const hosts = await Promise.all(this.lan.hosts.map(async (host) => (await host.state())?.mac));
    const leases = await this.lan.server.leases();
    return leases
      .filter((lease) => !hosts.includes(lease.mac))
      .map((lease) => lease.ip)
      .sort();
  }

  async waitForLeases(expected: readonly string[]): Promise<void> {
    let seen: readonly string[] = [];
    await waitFor(
      `the server to have leases for ${expected.length === 0 ? 'no container' : expected.join(', ')}`,
      async () => {
        seen = await this.containerLeases();
        return JSON.stringify(seen) === JSON.stringify([...expected].sort());
      },
      { describe: () => `it has ${seen.join(', ')}`, deadlineMs: FIRST_LEASES_DEADLINE_MS },
    );
  }

  /** What the server in a container answers: its host name, and from where it was asked. */
  async ask(from: Namespace, address: Ipv4): Promise<string> {
    let said: string | undefined;
    const question = [program('bin', 'who'), 'get', `http://${address}:${PORT}/who`];
    // A server that has just been started listens a moment later.
    await waitFor(`an answer from ${address}`, async () => {
      const { stdout } = await from.runToEnd(question);
      said = stdout.trim() === '' ? undefined : Object.keys(v.parse(saidSchema, JSON.parse(stdout)).seen)[0];
      return said !== undefined;
    });
    return said ?? '';
  }

  async #get(path: string): Promise<string | undefined> {
    const answer = await getOverSocket(this.machine.path('/run/leasehold/leasehold.sock'), path);
    return answer?.status === HTTP_OK ? answer.body : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
    await this.lan[Symbol.asyncDispose]();
  }
}

/** One site for all tests of a `describe`; call the result inside them. */
export function usePodmanSite(
  prepare: (site: PodmanSite) => Promise<void>,
  options: HomeLanOptions = {},
): () => PodmanSite {
  let site: PodmanSite | undefined;
  before(async () => {
    site = await PodmanSite.open(options);
    await prepare(site);
  });
  after(async () => await site?.[Symbol.asyncDispose]());
  return () => {
    if (site === undefined) throw new Error('the site is there while tests run');
    return site;
  };
}
