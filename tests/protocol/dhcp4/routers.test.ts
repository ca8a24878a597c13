import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4, maskFromPrefix } from '../../../src/base/ipv4.ts';
import { instant } from '../../../src/base/time.ts';
import { leaseFromAck } from '../../../src/protocol/dhcp4/lease.ts';
import { ADDRESS, net, reply, SERVER } from './messages.ts';

const first = ipv4('192.168.1.0');
const last = ipv4('192.168.1.255');

function why(router: string, end: string): string {
  return `0.0.0.0/0 via ${router}: the router is the ${end} address of 192.168.1.0/24`;
}

describe('routers that no kernel takes', () => {
  test('option 3: the next good one is taken, for the route and as the gateway', () => {
    const message = reply('DHCPACK', 1, { options: { routers: [first, last, SERVER] } });
    const lease = leaseFromAck(message, SERVER, instant(0), []);
    assert.ok(lease.ok);
    assert.deepEqual(lease.value.routers, [SERVER]);
    assert.deepEqual(lease.value.routes, [{ dst: net('0.0.0.0/0'), router: SERVER }]);
    assert.deepEqual(lease.value.refusedRoutes, [why(first, 'network'), why(last, 'broadcast')]);
  });

  test('option 3 with nothing else: a lease without a default route', () => {
    const message = reply('DHCPACK', 1, { options: { routers: [last, ADDRESS, IPV4_ANY] } });
    const lease = leaseFromAck(message, SERVER, instant(0), []);
    assert.ok(lease.ok);
    assert.deepEqual([lease.value.routers, lease.value.routes], [[], []]);
    assert.deepEqual(lease.value.refusedRoutes, [
      why(last, 'broadcast'),
      `0.0.0.0/0 via ${ADDRESS}: the router is the leased address itself`,
      '0.0.0.0/0 via 0.0.0.0: the router is no address that a host can have',
    ]);
  });

  test('behind option 121 it is still no gateway', () => {
    const routes = [{ destination: net('10.0.0.0/8'), router: SERVER }];
    const options = { routers: [last, SERVER], 'rfc3442-classless-static-routes': routes };
    const lease = leaseFromAck(reply('DHCPACK', 1, { options }), SERVER, instant(0), []);
    assert.ok(lease.ok);
    assert.deepEqual([lease.value.routers, lease.value.refusedRoutes], [[SERVER], []]);
  });

  for (const option of ['ms-classless-static-routes', 'static-routes'] as const) {
    test(`${option}: left out and named`, () => {
      const options =
        option === 'static-routes'
          ? { [option]: [{ destination: ipv4('10.0.0.0'), router: last }] }
          : { [option]: [{ destination: net('10.0.0.0/8'), router: last }] };
      const lease = leaseFromAck(reply('DHCPACK', 1, { options }), SERVER, instant(0), []);
      assert.ok(lease.ok);
      assert.deepEqual(lease.value.refusedRoutes, [
        `10.0.0.0/8 via ${last}: the router is the broadcast address of 192.168.1.0/24`,
      ]);
    });
  }

  test('in a /31 the other address is the router (RFC 3021)', () => {
    const options = { 'subnet-mask': maskFromPrefix(31), routers: [ipv4('192.168.1.51')] };
    const lease = leaseFromAck(reply('DHCPACK', 1, { options }), SERVER, instant(0), []);
    assert.ok(lease.ok);
    assert.deepEqual(lease.value.routers, options.routers);
    assert.deepEqual(lease.value.refusedRoutes, []);
  });
});
