import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { AddCall, PluginServices } from '../../src/cni/context.ts';
import { readMacvlanConf } from '../../src/cni/plugins/macvlan-conf.ts';
import { makeLink } from '../../src/cni/plugins/macvlan-link.ts';
import type { Pod } from '../../src/cni/ports.ts';
import { NO_ARGS } from '../../src/cni/spec/args.ts';
import { decodeConf } from '../../src/cni/spec/conf.ts';
import { CniError } from '../../src/cni/spec/errors.ts';

const UPLINK = { index: 2, name: 'eth0', mtu: 1500, up: true, lowerUp: true };
const MAC = '02:11:22:33:44:55';

/** An ADD whose link the kernel refuses like this, once for each; then it makes it. */
function adding(codes: readonly string[], keys: object, signal = new AbortController().signal) {
  const conf = decodeConf(utf8(JSON.stringify({ cniVersion: '1.0.0', name: 'lan', ...keys })));
  assert.ok(conf.ok);
  const left = [...codes];
  const tries = { count: 0 };
  const pod = {
    createMacvlan: () => {
      tries.count += 1;
      const code = left.shift();
      return code === undefined ? Promise.resolve() : Promise.reject(new SysError('RTM_NEWLINK', code));
    },
  } as unknown as Pod;
  const call = { env: { ifname: 'eth0' }, conf: conf.value } as unknown as AddCall;
  const parts = { conf: readMacvlanConf(conf.value, NO_ARGS), pod, up: true };
  return { made: makeLink({} as PluginServices, call, parts, UPLINK, signal), tries };
}

test('a MAC address that is in use is tried again', async () => {
  const { made, tries } = adding(['EADDRINUSE', 'EADDRINUSE', 'EADDRINUSE'], { mac: MAC });
  await made;
  assert.equal(tries.count, 4);
});

test('for no other cause, and not for a MAC address that nobody asked for', async () => {
  const causes: readonly (readonly [string, object, number])[] = [
    ['EEXIST', { mac: MAC }, 103],
    ['EINVAL', { mac: MAC }, 107],
    ['EADDRINUSE', {}, 107],
  ];
  for (const [cause, keys, code] of causes) {
    const { made, tries } = adding([cause], keys);
    await assert.rejects(made, { code });
    assert.equal(tries.count, 1);
  }
});

test('who gives the ADD up ends the wait, with that reason and without another try', async () => {
  const abort = new AbortController();
  const { made, tries } = adding(
    Array.from({ length: 1000 }, () => 'EADDRINUSE'),
    { mac: MAC },
    abort.signal,
  );
  abort.abort(new CniError('cancelled-by-del', 'a DEL came'));
  await assert.rejects(made, { code: 160 });
  assert.equal(tries.count, 1);
});
