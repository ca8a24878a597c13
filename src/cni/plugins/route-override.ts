import { isSysError } from '../../base/sys-error.ts';
import type { AddCall, CheckCall, Plugin, PluginServices } from '../context.ts';
import type { Pod } from '../ports.ts';
import { checkOverride, mismatchError } from '../route-override/check.ts';
import { parseOverride } from '../route-override/config.ts';
import { missingPrevResult, planOverride } from '../route-override/plan.ts';
import { routeError, targetInterface } from '../route-override/routes.ts';
import { readPrevResult } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import { openPod, routesEverywhere } from './pod.ts';

type Target = {
  readonly config: ReturnType<typeof parseOverride>;
  readonly prev: CniResult;
  readonly ifname: string;
};

function targetOf(call: AddCall | CheckCall): Target {
  const config = parseOverride(call.conf);
  const prev = readPrevResult(call.conf);
  if (!prev.ok) throw prev.error;
  if (prev.value === undefined) throw missingPrevResult();
  return { config, prev: prev.value, ifname: targetInterface(prev.value) };
}

async function indexOf(pod: Pod, ifname: string): Promise<number> {
  const link = await pod.link(ifname);
  if (link !== undefined) return link.index;
  throw new CniError('route-failed', `route-override: the container has no interface ${ifname}`);
}

/** `route-override`: changes the routes that the plugins before it in the chain have made. */
export function routeOverridePlugin(services: PluginServices): Plugin {
  async function add(call: AddCall): Promise<CniResult> {
    const { config, prev, ifname } = targetOf(call);
    if (!config.ok) throw config.error;
    const pod = openPod(services, call.env);
    try {
      const index = await indexOf(pod, ifname);
      const plan = planOverride(config.value, prev, await pod.routes(index));
      if (!plan.ok) throw plan.error;
      for (const route of plan.value.delete) {
        await attempt('delete', route, ifname, () => pod.deleteRoute(index, route));
      }
      for (const route of plan.value.add)
        await attempt('add', route, ifname, () => pod.addRoute(index, route));
      return plan.value.result;
    } finally {
      pod.close();
    }
  }

  async function check(call: CheckCall): Promise<void> {
    const { config, prev, ifname } = targetOf(call);
    if (!config.ok) throw config.error;
    const pod = openPod(services, call.env);
    try {
      const index = await indexOf(pod, ifname);
      const routes = await pod.routes(index);
      const atFirst = checkOverride(config.value, prev, routes);
      if (!atFirst.ok) throw atFirst.error;
      if (atFirst.value.length === 0) return;
      const mismatches = checkOverride(config.value, prev, routes, await routesEverywhere(pod, index));
      if (!mismatches.ok) throw mismatches.error;
      if (mismatches.value.length > 0) throw mismatchError(ifname, mismatches.value);
    } finally {
      pod.close();
    }
  }

  return {
    add,
    check,
    // The routes go with the interface, or with the namespace.
    del: () => Promise.resolve(),
    gc: () => Promise.resolve(),
    status: () => Promise.resolve(),
  };
}

type RouteOf = Parameters<typeof routeError>[1];

async function attempt(
  action: 'add' | 'delete',
  route: RouteOf,
  ifname: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isSysError(error)) throw error;
    throw routeError(action, route, ifname, error);
  }
}
