import assert from 'node:assert/strict';
import { cidr } from '../../../src/base/cidr.ts';
import { parseIp } from '../../../src/base/ip.ts';
import { parseOverride, type OverrideConfig } from '../../../src/cni/route-override/config.ts';
import { planOverride, type OverridePlan } from '../../../src/cni/route-override/plan.ts';
import type { InterfaceRoute } from '../../../src/cni/route-override/routes.ts';
import { decodeConf, type NetConf } from '../../../src/cni/spec/conf.ts';
import type { CniError } from '../../../src/cni/spec/errors.ts';
import { parseResult } from '../../../src/cni/spec/result-read.ts';
import type { CniResult } from '../../../src/cni/spec/result.ts';

/** The configuration as a runtime gives it to the plugin. */
export function confOf(keys: object): NetConf {
  const text = JSON.stringify({ cniVersion: '1.0.0', name: 'lan', type: 'route-override', ...keys });
  const conf = decodeConf(new TextEncoder().encode(text));
  assert.ok(conf.ok, conf.ok ? '' : conf.error.message);
  return conf.value;
}

export function configOf(keys: object): OverrideConfig {
  const config = parseOverride(confOf(keys));
  assert.ok(config.ok, config.ok ? '' : config.error.message);
  return config.value;
}

export function configError(keys: object): CniError {
  const config = parseOverride(confOf(keys));
  assert.ok(!config.ok, 'must be refused');
  return config.error;
}

/** "10.0.0.0/8 via 192.168.2.1 metric 5" or "192.168.2.0/24 link". */
export function route(text: string): InterfaceRoute {
  const [dst = '', ...words] = text.split(' ');
  const via = words.includes('via') ? parseIp(words[words.indexOf('via') + 1] ?? '') : undefined;
  const metric = words.includes('metric') ? Number(words[words.indexOf('metric') + 1]) : undefined;
  return {
    dst: cidr(dst),
    scope: words.includes('link') ? 'link' : 'global',
    ...(via !== undefined && { gateway: via }),
    ...(metric !== undefined && { metric }),
  };
}

export function routes(...texts: readonly string[]): InterfaceRoute[] {
  return texts.map(route);
}

export function resultOf(json: {
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
}): CniResult {
  const result = parseResult(
    {
      cniVersion: '1.0.0',
      interfaces: [
        { name: 'vethhost' },
        { name: 'net1', mac: '02:00:00:00:00:01', sandbox: '/run/netns/pod' },
      ],
      ips: [
        { address: '192.168.2.7/24', gateway: '192.168.2.1', interface: 1 },
        { address: 'fd00::7/64', gateway: 'fd00::1', interface: 1 },
      ],
      ...json,
    },
    '1.0.0',
  );
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

export function planned(
  keys: object,
  prev: CniResult,
  current: readonly InterfaceRoute[],
): OverridePlan<InterfaceRoute> {
  const plan = planOverride(configOf(keys), prev, current);
  assert.ok(plan.ok, plan.ok ? '' : plan.error.message);
  return plan.value;
}
