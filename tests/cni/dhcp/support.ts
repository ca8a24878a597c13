import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../src/base/json.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { mac } from '../../../src/base/mac.ts';
import type { DhcpSettings } from '../../../src/cni/context.ts';
import { NO_KEYS, readDhcpKeys } from '../../../src/cni/dhcp/keys.ts';
import { type DhcpConf, readDhcpConf } from '../../../src/cni/plugins/dhcp-conf.ts';
import { decodeConf, type NetConf } from '../../../src/cni/spec/conf.ts';
import { CniError } from '../../../src/cni/spec/errors.ts';
import { attachedAs, attachedPod, SCOPE } from '../identity/support.ts';

export const MAC = mac('02:00:5e:10:00:01');
export const WEB = attachedPod('shop', 'web-0');
export const NAMELESS = attachedAs({});

export const SETTINGS: DhcpSettings = { defaults: NO_KEYS, mac: 'random', identity: SCOPE };

/** The daemon's defaults as its file would state them. */
export function settingsWith(dhcp: JsonObject): DhcpSettings {
  return { ...SETTINGS, defaults: readDhcpKeys(dhcp, 'dhcp') };
}

export function netConf(keys: JsonObject): NetConf {
  const conf = { cniVersion: '1.1.0', name: 'lan', type: 'macvlan', ...keys };
  const read = decodeConf(utf8(JSON.stringify(conf)));
  assert.ok(read.ok, JSON.stringify(keys));
  return read.value;
}

export function dhcpConf(
  ipam: JsonObject,
  options: { attached?: typeof WEB; settings?: DhcpSettings; keys?: JsonObject } = {},
): DhcpConf {
  const conf = netConf({ ...options.keys, ipam: { type: 'dhcp', ...ipam } });
  return readDhcpConf(conf, options.attached ?? WEB, options.settings ?? SETTINGS);
}

/** What the client gets. */
export function client(...args: Parameters<typeof dhcpConf>): ReturnType<DhcpConf['clientFor']> {
  return dhcpConf(...args).clientFor(MAC);
}

/** Runs what must fail with CNI error 7 and this text. */
export function refused(read: () => unknown, message: RegExp, shown?: Json): void {
  assert.throws(
    read,
    (error: unknown) => {
      assert.ok(error instanceof CniError, String(error));
      assert.equal(error.code, 7);
      assert.match(error.message, message);
      assert.ok(!error.message.includes('\n'));
      return true;
    },
    JSON.stringify(shown)?.slice(0, 100),
  );
}
