import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toHex } from '../../src/base/bytes.ts';
import { ipv4, ipv4ToBytes } from '../../src/base/ipv4.ts';
import { routesOf } from '../plugins/support/kernel-view.ts';
import { ROUTER } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addPod, daemonLog, siteFor, untilCounted } from './support/fault-site.ts';

/** Option 121 (RFC 3442): prefix length, the significant octets of the destination, the router. */
function classlessRoutes(destinations: readonly (readonly [string, number])[]): string {
  const bytes = destinations.flatMap(([address, prefix]) => [
    prefix,
    ...ipv4ToBytes(ipv4(address)).subarray(0, Math.ceil(prefix / 8)),
    ...ipv4ToBytes(ipv4(ROUTER)),
  ]);
  return toHex(Uint8Array.from(bytes));
}

describe('routes from the network', { skip: NEEDS_ROOT }, () => {
  test('route-into-protected-network: left out and named, the others are taken', async (t) => {
    const data = classlessRoutes([
      ['0.0.0.0', 0],
      ['10.50.0.0', 16],
      ['10.43.7.0', 24],
      ['169.254.0.0', 16],
      ['127.0.0.0', 8],
      ['224.0.0.0', 4],
    ]);
    const option = { code: 121, space: 'dhcp4', 'csv-format': false, data };
    const site = await siteFor(t, {
      server: { kind: 'kea', optionData: [option] },
      config: { protect: ['10.43.0.0/16'] },
    });
    const { pod } = await addPod(site);
    assert.deepEqual(await routesOf(pod.namespace), [
      `10.50.0.0/16 via ${ROUTER} dev eth0`,
      '192.168.2.0/24 dev eth0',
      `default via ${ROUTER} dev eth0`,
    ]);
    await untilCounted(site, 'route-refused', 4);
    const log = await daemonLog(site);
    assert.match(log, /routes of the lease were not taken/);
    for (const text of ['10.43.7.0/24', '169.254.0.0/16', '127.0.0.0/8', '224.0.0.0/4']) {
      assert.ok(log.includes(text), text);
    }
  });
});
