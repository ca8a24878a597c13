import type { Mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type { HostFrames, LeaseWorld, NamespaceAt } from '../../../src/lease/ports.ts';
import { recordStore } from '../../../src/lease/stored.ts';
import { parseArpFrame } from '../../../src/wire/arp.ts';
import { parseUdp4Frame } from '../../../src/wire/ip/udp4.ts';
import { childMacs, FakePod } from '../support/pods.ts';
import { type SimLan, UPLINK } from './lan.ts';

/** What a disk does, and what survives the daemon. */
export class SimDisk {
  readonly files = new Map<string, string>();
  /** Full or read-only. Removing works on a full disk. */
  error: SysError | undefined;
  writes = 0;
  /** The daemon is killed at this write (counted from now), before or after it is done. */
  trap: { left: number; readonly when: 'before' | 'after'; readonly spring: () => void } | undefined;
}

/** The world as one run of the daemon sees it. Once it is killed, nothing that its remains do has an effect. */
export class Life implements LeaseWorld {
  readonly #lan: SimLan;
  readonly #disk: SimDisk;
  readonly #count: (event: string) => void;
  readonly #bootId: string;
  readonly protect: LeaseWorld['protect'] = [];
  readonly store: LeaseWorld['store'];
  readonly past: LeaseWorld['past'] = { get: () => undefined, put: () => Promise.resolve() };
  readonly random: () => number;
  alive = true;

  constructor(lan: SimLan, disk: SimDisk, count: (event: string) => void, bootId: string) {
    this.#lan = lan;
    this.#disk = disk;
    this.#count = count;
    this.#bootId = bootId;
    this.random = lan.random.next;
    this.store = recordStore(
      {
        put: (name, text) => this.#write(() => disk.files.set(name, text), true),
        remove: (name) => this.#write(() => disk.files.delete(name), false),
      },
      (key) => key,
    );
  }

  get clock(): LeaseWorld['clock'] {
    return {
      now: () => this.#lan.time.now(),
      slept: () => this.#lan.time.slept(),
      bootId: this.#bootId,
    };
  }

  readonly timers: LeaseWorld['timers'] = {
    at: (at, callback) => {
      if (!this.alive) return () => undefined;
      return this.#lan.time.at(at, () => {
        if (this.alive) callback();
      });
    },
  };

  #lastFromHost = '';

  readonly log: LeaseWorld['log'] = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
  };

  isPodMac(): boolean {
    return false;
  }

  shimOn(): undefined {
    return undefined;
  }

  holderOnNode(): undefined {
    return undefined;
  }

  count(event: string): void {
    this.#count(event);
  }

  async #write(work: () => void, isPut: boolean): Promise<void> {
    await Promise.resolve();
    const { trap } = this.#disk;
    const sprung = this.alive && trap !== undefined && --trap.left <= 0 ? trap : undefined;
    if (sprung?.when === 'before') this.#spring(sprung.spring);
    if (!this.alive) return new Promise(() => undefined);
    if (isPut && this.#disk.error !== undefined) throw this.#disk.error;
    this.#disk.writes += 1;
    work();
    if (sprung === undefined) return undefined;
    this.#spring(sprung.spring);
    return new Promise(() => undefined);
  }

  #spring(spring: () => void): void {
    this.#disk.trap = undefined;
    spring();
  }

  openPod(path: string): FakePod {
    const model = this.#lan.pods.get(path);
    if (model === undefined || !this.alive) throw new SysError(`open ${path}`, 'ENOENT');
    return new FakePod(model, {
      now: () => this.#lan.time.now(),
      frame: (frame, pod) => {
        // A server takes the second of two equal messages for the first.
        if (!this.alive || this.#lastFromHost === Buffer.from(frame).toString('hex')) return;
        const datagram = parseUdp4Frame(frame, { checksumReady: true });
        if (datagram.ok) this.#lan.fromClient(datagram.value.payload, datagram.value.dst, pod);
      },
      arp: (packet, from) => {
        if (this.alive) this.#lan.arpFromPod(packet, from);
      },
    });
  }

  namespaceAt(path: string): NamespaceAt {
    const model = this.#lan.pods.get(path);
    return model === undefined ? { kind: 'gone' } : { kind: 'namespace', inode: model.inode };
  }

  readonly openTap: LeaseWorld['openTap'] = (uplinkIndex, onFrame) => {
    if (uplinkIndex !== UPLINK) throw new SysError(`open packet tap on #${uplinkIndex}`, 'ENODEV');
    this.#lan.taps.set(uplinkIndex, (frame, ready) => {
      if (this.alive) onFrame(frame, ready);
    });
    return {
      attached: () => true,
      letIn: () => () => undefined,
      hearClaims: () => undefined,
      close: () => void this.#lan.taps.delete(uplinkIndex),
    };
  };

  readonly frames: HostFrames = {
    send: (ifindex, frame) => {
      if (!this.alive || ifindex !== UPLINK) return new SysError('send a frame', 'ENXIO');
      const arp = parseArpFrame(frame);
      if (arp.ok) {
        this.#lan.arpFromHost(arp.value);
        return undefined;
      }
      this.#lastFromHost = Buffer.from(frame).toString('hex');
      const datagram = parseUdp4Frame(frame, { checksumReady: true });
      if (!datagram.ok) throw new Error('what the host sends can be read');
      this.#lan.fromClient(datagram.value.payload, datagram.value.dst, undefined);
      return undefined;
    },
    link: (name) => (name === this.#lan.uplink.name ? { ...this.#lan.uplink } : undefined),
  };

  async childMacs(): Promise<readonly Mac[]> {
    return childMacs(this.#lan.pods.values());
  }

  /** SIGKILL: the kernel closes what it had open. */
  kill(): void {
    this.alive = false;
    this.#lan.taps.clear();
    for (const pod of this.#lan.pods.values()) {
      pod.sockets.clear();
      pod.arpPorts.clear();
      pod.openHandles = 0;
    }
  }
}
