import type { Server } from 'node:http';
import { createApi } from '../api/server.ts';
import { SpoolWatch } from '../api/spool-watch.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { adoptAll } from '../cni/adopt/adopt.ts';
import type { PluginServices } from '../cni/context.ts';
import { CniDispatcher } from '../cni/dispatch.ts';
import { KeyedOperations } from '../cni/keyed.ts';
import { DhcpIpam } from '../cni/plugins/dhcp-ipam.ts';
import { linkMaker } from '../cni/plugins/link-maker.ts';
import { bootId, now, randomFloat, slept } from '../kernel/clock.ts';
import { KernelClusterFacts } from '../kernel/cluster-facts.ts';
import { mallocTrimOffLoop } from '../kernel/ffi.ts';
import { HostFrameSender } from '../kernel/frame-sender.ts';
import { findHmacMd5 } from '../kernel/hmac-md5.ts';
import { HostNetwork } from '../kernel/host-network.ts';
import { quickLane } from '../kernel/lanes.ts';
import { recordFileName } from '../kernel/lease-files.ts';
import { namespaceAt } from '../kernel/namespace-at.ts';
import { watchNetwork } from '../kernel/network-watch.ts';
import { watchPodLinks } from '../kernel/pod-link-watch.ts';
import { PodNetwork } from '../kernel/pod-network.ts';
import { readResultCache } from '../kernel/result-cache.ts';
import { sdNotify } from '../kernel/sd-notify.ts';
import { openTimers } from '../kernel/timers.ts';
import { LeaseManager } from '../lease/manager.ts';
import type { LeaseKey } from '../lease/record.ts';
import { recordStore } from '../lease/stored.ts';
import type { Asker } from '../node/host/holders.ts';
import { ServiceFinder } from '../node/services/finder.ts';
import { ApiServerSight, kubeletServerAddress } from '../node/services/kubelet-server.ts';
import { CLUSTER_PLACES } from '../node/services/places.ts';
import { searchServiceNetworks } from '../node/services/search.ts';
import { ServiceSources } from '../node/services/sources.ts';
import { Counters } from '../observe/counters.ts';
import { createLog, type LogLevel } from '../observe/log.ts';
import { CallsUnderWay } from './calls.ts';
import { openCluster } from './cluster-access.ts';
import { loadConfig, readServiceFlag } from './config.ts';
import { runDelegate } from './delegate.ts';
import { diagnosesOf } from './diagnoses.ts';
import { makeFit, readiness, unfit } from './fitness.ts';
import { leaseHere, openHostSide, watchGuard } from './host.ts';
import { takeUpLeases } from './leases.ts';
import { alone } from './life.ts';
import { closeLeavingSocket, listenOn } from './listen.ts';
import { Rest } from './rest.ts';
import { ServiceMemoryFile } from './service-memory.ts';
import { onReload } from './signals.ts';
import { openFiles } from './state.ts';
import { openUplinkTap } from './uplink-tap.ts';

export type DaemonOptions = {
  readonly socketPath: string;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  readonly logLevel: LogLevel;
  /** Networks of the cluster's services, beside those of the configuration. */
  readonly serviceCidrs: readonly string[];
  /** Whom to ask for them, in place of what a pod has by itself and of the configuration's word. */
  readonly kubeconfig: string | undefined;
};

/** What is under way may end and be answered; a connection that is still there then is cut. */
const LAST_ANSWERS_MS = 2000;

type Log = ReturnType<typeof createLog>;

/**
 * Runs the daemon in the foreground until SIGTERM or SIGINT. Leases are not released at the end: pods live on.
 * Throws an Error for what a person can mend: a second daemon, an unwritable folder, a bad configuration.
 */
export async function runDaemon(options: DaemonOptions, life = alone(options.stateDir)): Promise<void> {
  const { socketPath, stateDir } = options;
  const config = loadConfig(options.configPath);
  const flagged = options.serviceCidrs.map(readServiceFlag);
  const log = createLog(options.logLevel);
  makeFit(log);
  // Ended last to first, after a start that fails as well: one timer or socket left would keep the process, and with
  // it the lock, for ever.
  await using ends = new AsyncDisposableStack();
  const lock = await life.lock();
  if (lock === undefined) return;
  ends.defer(() => lock.release());
  ends.defer(async () => await life.last());
  const { files, past } = await openFiles(stateDir);
  const counters = new Counters();
  const host = new HostNetwork();
  ends.defer(() => host.close());
  const frames = new HostFrameSender();
  ends.defer(() => frames.close());
  const count = (event: string): void => counters.add(event);
  if (past.dropped > 0) {
    count('past-dropped');
    log.warn({ dropped: past.dropped }, 'some addresses of clients that are gone could not be read');
  }
  const timers = openTimers((error) => {
    count('timer-failed');
    log.error(
      { error: error instanceof Error ? error.stack : String(error) },
      'a timer met an unexpected error',
    );
  });
  ends.defer(() => timers.close());
  const sendFrame = (ifindex: number, frame: Uint8Array) => frames.send(ifindex, frame);
  let { lan } = config;
  const facts = new KernelClusterFacts();
  const apiServer = new ApiServerSight(
    () => kubeletServerAddress(facts, CLUSTER_PLACES),
    () => networks.judge(),
  );
  // Nobody listens yet.
  const hearing = { now: (): boolean => false };
  const {
    side: hostSide,
    services: networks,
    nested,
  } = await openHostSide({
    stateDir,
    host,
    timers,
    hearNow: () => hearing.now(),
    log,
    count,
    debts: () => leases.debts(),
    sendFrame,
    leaseAddress: (key) => leases.get(key)?.lease?.address.address,
    leases: () => leases.list().flatMap(leaseHere),
    lan: () => lan,
    apiServer: () => apiServer.address,
  });
  apiServer.look();
  ends.defer(() => hostSide.close());
  ends.defer(() => nested.close());
  const sources = new ServiceSources(networks);
  sources.state('config', config.services);
  sources.state('flag', flagged);
  const memory = await ServiceMemoryFile.open(stateDir, log);
  const finder = new ServiceFinder({
    search: () => {
      apiServer.look();
      return searchServiceNetworks(facts, CLUSTER_PLACES);
    },
    kept: memory.of('node'),
    networks: sources,
    isStated: () => sources.isSettled,
    clock: { now },
    timers,
    log,
    count,
  });
  ends.defer(() => finder.close());
  const cluster = await openCluster(options.kubeconfig ?? config.kubeconfig, {
    kept: memory.of('kubernetes'),
    asking: () => apiServer.look(),
    facts,
    places: CLUSTER_PLACES,
    sources,
    changed: () => finder.restated(),
    clock: { now },
    timers,
    random: randomFloat,
    log,
    count,
  });
  ends.defer(() => cluster?.close());
  const world = {
    clock: { now, slept, bootId: bootId() },
    timers,
    random: randomFloat,
    hmacMd5: findHmacMd5(),
    store: recordStore(files, recordFileName),
    past,
    log,
    openPod: (path: string, inode?: string) => PodNetwork.open(path, host.rtnl, inode),
    namespaceAt,
    openTap: openUplinkTap(log, count),
    frames: {
      send: sendFrame,
      link: (name: string) => host.peek(name),
    },
    childMacs: (ifindex: number) => host.rtnl.neighbours.filterOf(ifindex),
    get protect() {
      return [...config.protect, ...networks.all];
    },
    count,
    holderOnNode: (address: Ipv4, asker: Asker) => hostSide.holderOf(address, asker),
    isPodMac: (address: Mac, uplink: string) =>
      hostSide.records.some((pod) => pod.mac === address && pod.uplink === uplink),
    shimOn: (uplinkIndex: number) => hostSide.shimOn(uplinkIndex),
    changed: (key: LeaseKey) => hostSide.leaseChanged(key),
  };
  const diagnoses = diagnosesOf(
    host,
    timers,
    () => leases,
    (fields, message) => log.warn(fields, message),
  );
  ends.defer(() => diagnoses.close());
  const operations = new KeyedOperations();
  const maker = linkMaker({ operations, host, openPod: world.openPod });
  const { deadline, carrierWait } = config;
  const leases = new LeaseManager(world, { deadline, carrierWait }, maker);
  ends.defer(() => leases.close());
  const services: PluginServices = {
    leases,
    operations,
    host,
    openPod: world.openPod,
    hostSide,
    diagnose: diagnoses.diagnose,
    runDelegate,
    dhcp: config.dhcp,
    store: files,
    unfit,
    log,
    count,
  };
  const dispatcher = new CniDispatcher(services);
  let ready = false;
  const calls = new CallsUnderWay();
  // What a burst needed, and a start, is mostly free again: by the megabyte, and glibc keeps it.
  const rest = new Rest({
    now,
    at: timers.at,
    onRest: () => {
      quickLane.run(mallocTrimOffLoop).then(
        () => count('memory-given-back'),
        (error: unknown) => log.warn({ error: String(error) }, 'free memory could not be given back'),
      );
    },
  });
  ends.defer(() => rest.close());
  const api = createApi({
    dispatcher: {
      handle: async (request) =>
        await calls.track(async () => {
          const verb = request.environment['CNI_COMMAND'];
          if (verb === 'ADD') await spool.settledFirst();
          if (verb === 'ADD' || verb === 'DEL') rest.stir();
          return await dispatcher.handle(request);
        }),
    },
    leases: { list: () => leases.list(), debts: () => leases.debts(), servers: () => leases.servers(), now },
    isReady: () => ready,
    unfit: () => readiness(files),
    counters: () => counters.snapshot(),
    host: () => ({
      ...hostSide.status(),
      nested: nested.found,
      sources: sources.list,
      cluster: cluster?.status,
    }),
    hostPods: () => hostSide.checkAll(),
    adopt: async (folder) =>
      adoptAll(await readResultCache(folder), (call, type) =>
        new DhcpIpam(services, type === 'macvlan').adoptFromGo(call),
      ),
  });
  ends.defer(async () => {
    if (life.leavesSocket) await closeLeavingSocket(socketPath, async () => await closeApi(api));
    else await closeApi(api);
  });

  // Before anything is visible: a stop during the start is as orderly as any other.
  const stopped = life.stopped();
  const notify = (state: string): void => {
    const failed = sdNotify(state);
    if (failed !== undefined) log.warn({ error: failed.message }, 'the service manager could not be told');
  };
  // The socket first: where another daemon answers, nothing is done for the leases. Until ready all hear 503.
  await listenOn(api, socketPath);
  // Before the leases, so that no change between a look and the watch is missed.
  const watch = watchNetwork({
    onLink: (change) => leases.linkChanged(change),
    onNotice: (notice) => hostSide.notice(notice),
    wantsNeighbours: (index) => hostSide.isShim(index),
    own: host.rtnl.portId,
    onLost: () => {
      hostSide.noticesLost();
      void lookAtLinks(host, leases, log);
    },
  });
  hearing.now = watch.hearNow;
  ends.defer(() => watch.close());
  const podLinks = followPodLinks(leases, log);
  ends.defer(() => podLinks?.close());
  const guard = watchGuard(hostSide, log);
  ends.defer(() => guard?.close());
  // The API is surer than what the node's files say.
  const found = Promise.resolve(cluster?.start()).then(() => finder.start());
  await hostSide.learn();
  await takeUpLeases(files, leases, log);
  await lookAtLinks(host, leases, log);
  // Before the pods are looked at: a search that is not done would take the services' routes from those that run.
  await found;
  await hostSide.start();
  const stopReloading = onReload(options.configPath, log, ({ services: again, lan: lanAgain }) => {
    lan = lanAgain;
    sources.state('config', again);
    cluster?.restated();
    finder.restated();
    void hostSide.reapply();
    void nested.look();
  });
  ends.defer(stopReloading);
  leases.watch();
  nested.start();
  const spool = new SpoolWatch(
    socketPath,
    (request) => {
      // While pods come, a GC that waited may not list the newest of them. It comes round again.
      const late = ready && request.environment['CNI_COMMAND'] === 'GC';
      if (late) return Promise.resolve({ ok: false, body: { msg: 'a GC that waited is out of date' } });
      return dispatcher.handle({ ...request, hangUp: new AbortController().signal });
    },
    log,
  );
  ends.defer(async () => {
    // At once: an ADD hears of the stop without waiting for a spooled DEL.
    await Promise.all([spool.close(), operations.abortAll()]);
  });
  const settled = spool.settle().then(() => 'settled' as const);
  if ((await Promise.race([stopped, settled])) === 'settled') {
    ready = true;
    spool.start();
    notify('READY=1');
    log.info({ socket: socketPath, stateDir, leases: leases.size, pid: process.pid }, 'leasehold is ready');
    life.ready(async () => await readiness(files));
  }

  const signal = await stopped;
  ready = false;
  notify('STOPPING=1');
  log.info({ signal }, 'leasehold stops; leases stay');
  life.stopping();
  await calls.ended(life.patienceMs);
}

/** Takes no more connections, and waits for the answers that are still owed. */
async function closeApi(api: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  api.close(() => resolve());
  api.closeIdleConnections();
  const cut = setTimeout(() => api.closeAllConnections(), LAST_ANSWERS_MS);
  await promise;
  clearTimeout(cut);
}

/** What happens to the links of pods; undefined where the kernel does not tell: then the rounds find what they can. */
function followPodLinks(leases: LeaseManager, log: Log): { readonly close: () => void } | undefined {
  try {
    return watchPodLinks({
      onChange: (change) => leases.podLinkChanged(change),
      onLost: () => leases.podLinkChanged(undefined),
    });
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.warn({ error: error.message }, 'the links of pods cannot be watched');
    return undefined;
  }
}

/** For when notices were lost: how all interfaces are now. One that is gone is noticed when its pods are looked at. */
async function lookAtLinks(host: HostNetwork, leases: LeaseManager, log: Log): Promise<void> {
  try {
    for (const { index, name, up, lowerUp } of await host.rtnl.links.list()) {
      leases.linkChanged({ index, name, up, lowerUp, removed: false });
    }
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.warn({ error: error.message }, "changes of the node's interfaces may have been missed");
  }
}
