import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { mangleOne } from './mangle.ts';
import type { Attachment } from './node.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, OTHER_POOL, POOL, type Sim } from './sim.ts';

const SECOND_MS = 1000;
const LEASE_SECONDS = [1, 10, 60, 600, 3600, 8 * 3600, 86_400, 0xffffffff];

export type Fault = {
  readonly name: string;
  /** How long it lasts, at least and at most. */
  readonly lasts: readonly [number, number];
  /** Only with a daemon that looks after its pods. */
  readonly needsRounds?: true;
  /** Returns what ends it. */
  readonly begin: (sim: Sim) => Promise<() => Promise<void> | void> | (() => Promise<void> | void);
};

const FAIR = { loss: 0, duplication: 0, delayMs: 0 };
const NOTHING = (): void => undefined;

/** Of several faults that took the daemon away, the first that ends brings it back. */
async function startAgain(sim: Sim): Promise<void> {
  if (sim.node.manager === undefined) await sim.start();
}

function someAttached(sim: Sim, share: number): readonly Attachment[] {
  return sim.node.in('attached').filter(() => sim.random.chance(share));
}

function weather(name: string, change: Partial<Sim['lan']['weather']>): Fault {
  return {
    name,
    lasts: [10 * SECOND_MS, 2 * HOUR_MS],
    begin: (sim) => {
      Object.assign(sim.lan.weather, change);
      return () => void Object.assign(sim.lan.weather, FAIR);
    },
  };
}

function server(name: string, lasts: Fault['lasts'], change: (sim: Sim) => () => void): Fault {
  return { name, lasts, begin: change };
}

/** Somebody takes the address of a pod and insists for half a minute. */
function squatOn(sim: Sim, address: Ipv4): void {
  const squatter = { address, mac: mac('02:00:5e:ff:00:01'), since: sim.time.now(), stubborn: true };
  sim.lan.squatters.set(address, squatter);
  sim.checks.squatted(address);
  for (let i = 0; i < 10; i++) {
    sim.time.after(i * 3000, () => {
      if (sim.lan.squatters.get(address) === squatter) sim.lan.announce(squatter);
    });
  }
}

async function churn(sim: Sim, share: number): Promise<void> {
  for (const attachment of someAttached(sim, share)) {
    sim.node.delete(attachment);
    const { conflictCheck, servers, identity } = attachment.wishes;
    const again = sim.random.chance(0.5) ? { identity } : {};
    sim.time.after(
      sim.random.between(500, 20_000),
      () => void sim.node.add({ conflictCheck, servers, ...again }),
    );
  }
  await sim.run(SECOND_MS);
}

/** All that goes wrong on a LAN and on a node. */
export const FAULTS: readonly Fault[] = [
  weather('loss of 5 %', { loss: 0.05 }),
  weather('loss of 20 %', { loss: 0.2 }),
  weather('loss of 50 %', { loss: 0.5 }),
  weather('duplication', { duplication: 0.5 }),
  weather('delays and reordering', { delayMs: 10_000, duplication: 0.2 }),
  {
    name: 'garbled and wrong answers',
    lasts: [10 * SECOND_MS, HOUR_MS],
    begin: (sim) => {
      sim.lan.weather.mangle = (answer) => mangleOne(answer, sim.random);
      return () => {
        sim.lan.weather.mangle = undefined;
      };
    },
  },
  server('server is down', [30 * SECOND_MS, 2 * DAY_MS], (sim) => {
    sim.server.mood = 'silent';
    return () => {
      sim.server.mood = 'sane';
    };
  }),
  server('server forgets all', [SECOND_MS, MINUTE_MS], (sim) => {
    sim.server.forgetAll();
    return NOTHING;
  }),
  server('server that does not adopt forgets all', [MINUTE_MS, HOUR_MS], (sim) => {
    sim.server.adopts = false;
    sim.server.forgetAll();
    return () => {
      sim.server.adopts = true;
    };
  }),
  server('another pool', [MINUTE_MS, HOUR_MS], (sim) => {
    sim.server.pool = sim.server.pool === POOL ? OTHER_POOL : POOL;
    return NOTHING;
  }),
  server('another lease time', [MINUTE_MS, 10 * MINUTE_MS], (sim) => {
    const before = sim.server.leaseSecs;
    sim.server.leaseSecs = sim.random.pick(LEASE_SECONDS);
    return () => {
      sim.server.leaseSecs = before;
    };
  }),
  server('NAK storm', [SECOND_MS, HOUR_MS], (sim) => {
    sim.server.mood = 'refuses-all';
    return () => {
      sim.server.mood = 'sane';
    };
  }),
  server('T1 after T2', [MINUTE_MS, HOUR_MS], (sim) => {
    sim.server.options = { 'dhcp-renewal-time': 3000, 'dhcp-rebinding-time': 100 };
    return () => {
      sim.server.options = {};
    };
  }),
  server('a second server', [MINUTE_MS, DAY_MS], (sim) => {
    const second = sim.lan.addServer(ipv4('192.168.0.2'), { first: ipv4('192.168.80.1'), size: 1000 }, true);
    second.leaseSecs = 1800;
    return () => void sim.lan.servers.splice(sim.lan.servers.indexOf(second), 1);
  }),
  server('a rogue server', [MINUTE_MS, 4 * HOUR_MS], (sim) => {
    const rogue = sim.lan.addServer(
      ipv4('192.168.0.66'),
      { first: ipv4('192.168.120.1'), size: 1000 },
      false,
    );
    rogue.leaseSecs = 1200;
    if (sim.random.chance(0.3)) rogue.mood = 'refuses-all';
    return () => void sim.lan.servers.splice(sim.lan.servers.indexOf(rogue), 1);
  }),
  {
    name: 'carrier lost',
    lasts: [SECOND_MS, HOUR_MS],
    begin: (sim) => {
      sim.node.carrier(false);
      return () => sim.node.carrier(true);
    },
  },
  {
    name: 'carrier flaps',
    lasts: [SECOND_MS, 5 * SECOND_MS],
    begin: async (sim) => {
      for (let i = 0; i < 20; i++) {
        sim.node.carrier(false);
        await sim.run(sim.random.between(10, 2000));
        sim.node.carrier(true);
        await sim.run(sim.random.between(10, 2000));
      }
      return NOTHING;
    },
  },
  {
    name: 'suspend',
    lasts: [SECOND_MS, MINUTE_MS],
    begin: (sim) => {
      sim.time.sleep(sim.random.between(MINUTE_MS, 3 * HOUR_MS));
      return NOTHING;
    },
  },
  {
    name: 'daemon stopped',
    lasts: [SECOND_MS, 5 * HOUR_MS],
    begin: async (sim) => {
      await sim.node.stop();
      return () => startAgain(sim);
    },
  },
  {
    name: 'daemon killed',
    lasts: [SECOND_MS, 5 * HOUR_MS],
    begin: (sim) => {
      sim.node.kill();
      return () => startAgain(sim);
    },
  },
  {
    name: 'daemon killed at a write',
    lasts: [10 * SECOND_MS, HOUR_MS],
    begin: async (sim) => {
      const when = sim.random.chance(0.5) ? 'before' : 'after';
      sim.node.disk.trap = { left: 1 + sim.random.below(12), when, spring: () => sim.node.kill() };
      await churn(sim, 0.1);
      return async () => {
        sim.node.disk.trap = undefined;
        await startAgain(sim);
      };
    },
  },
  {
    name: 'store full',
    needsRounds: true,
    lasts: [SECOND_MS, 2 * HOUR_MS],
    begin: (sim) => {
      sim.storeFails(new SysError('write', 'ENOSPC'));
      return () => sim.storeFails(undefined);
    },
  },
  {
    name: 'pods come and go',
    lasts: [10 * SECOND_MS, 10 * MINUTE_MS],
    begin: async (sim) => {
      await churn(sim, 0.2);
      return NOTHING;
    },
  },
  {
    name: 'pods go without a DEL',
    lasts: [10 * SECOND_MS, 10 * MINUTE_MS],
    needsRounds: true,
    begin: (sim) => {
      for (const attachment of someAttached(sim, 0.1)) {
        sim.node.vanish(attachment);
        sim.node.add({ ...attachment.wishes, identity: `${attachment.wishes.identity}+` });
      }
      return NOTHING;
    },
  },
  {
    name: 'other namespaces at the same paths',
    lasts: [10 * SECOND_MS, 10 * MINUTE_MS],
    needsRounds: true,
    begin: (sim) => {
      for (const attachment of someAttached(sim, 0.1)) sim.node.replace(attachment);
      return NOTHING;
    },
  },
  {
    name: 'addresses removed by hand',
    lasts: [SECOND_MS, 10 * MINUTE_MS],
    needsRounds: true,
    begin: (sim) => {
      for (const attachment of someAttached(sim, 0.1)) {
        attachment.pod.addresses = [];
        attachment.pod.routes = [];
        sim.touch(attachment);
      }
      return NOTHING;
    },
  },
  {
    name: 'squatters on the addresses of pods',
    lasts: [MINUTE_MS, HOUR_MS],
    begin: (sim) => {
      for (const { pod, wishes } of someAttached(sim, 0.05)) {
        const address = pod.addresses[0]?.address as Ipv4 | undefined;
        if (address !== undefined && wishes.conflictCheck !== 'off') squatOn(sim, address);
      }
      return () => sim.lan.squatters.clear();
    },
  },
];
