import { test } from 'node:test';
import * as fc from 'fast-check';
import { instant } from '../../../src/base/time.ts';
import { wakeAt } from '../../../src/protocol/dhcp4/state.ts';
import { config, last, seeds } from './happenings.ts';
import { reply } from './messages.ts';
import { Watched } from './watched.ts';

const RUNS = 150;
const STEPS = 80;

/** A link that goes up and down at every instant, and a server that says the same to every message. */
const answers = fc.record({
  type: fc.constantFrom('DHCPOFFER', 'DHCPACK', 'DHCPNAK', undefined),
  further: fc.constantFrom('DHCPACK', 'DHCPNAK', undefined),
  secs: fc.constantFrom(1, 2, 3, 10, 3600),
  rapid: fc.boolean(),
  v6Only: fc.boolean(),
  stepMs: fc.integer({ min: 1, max: 400 }),
});

test('a flapping link, short leases and a server that answers at once: a few packets a second', () => {
  fc.assert(
    fc.property(config, seeds, last, answers, (settings, seed, was, how) => {
      const client = new Watched(settings, seed, was);
      client.take({ type: 'start' });
      for (let i = 0; i < STEPS; i++) {
        const due = wakeAt(client.state);
        client.now = instant(Math.min(due ?? Infinity, client.now + how.stepMs));
        client.take(due === client.now ? { type: 'wake' } : { type: 'link-up', verify: true });
        if (!('xid' in client.state)) continue;
        const type = client.state.kind === 'selecting' ? how.type : how.further;
        if (type === undefined) continue;
        const options = {
          'dhcp-lease-time': how.secs,
          ...(how.rapid ? { 'rapid-commit': true as const } : {}),
          ...(how.v6Only ? { 'v6-only-preferred': 0 } : {}),
        };
        client.take({ type: 'message', message: reply(type, client.state.xid, { options }) });
      }
    }),
    { numRuns: RUNS },
  );
});
