import { mkdirSync } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { createApi } from './api/server.ts';
import { SpoolWatch } from './api/spool-watch.ts';
import { isSysError } from './base/sys-error.ts';
import { CniDispatcher } from './cni/dispatch.ts';
import { KeyedOperations } from './cni/keyed.ts';
import type { PluginServices } from './cni/context.ts';
import type { RunDelegate } from './cni/ports.ts';
import { loadConfig } from './daemon-config.ts';
import { bootId, now, randomFloat } from './kernel/clock.ts';
import { runPlugin } from './kernel/exec-plugin.ts';
import { lockFile, type FileLock } from './kernel/file-lock.ts';
import { HostNetwork } from './kernel/host-network.ts';
import { LeaseFiles, recordFileName } from './kernel/lease-files.ts';
import { openTap } from './kernel/packet-tap.ts';
import { PodNetwork } from './kernel/pod-network.ts';
import { sdNotify } from './kernel/sd-notify.ts';
import { timerAt } from './kernel/timers.ts';
import { LeaseManager } from './lease/manager.ts';
import { readStored, recordStore } from './lease/stored.ts';
import { listenOn } from './listen.ts';
import { Counters } from './observe/counters.ts';
import { createLog, type LogLevel } from './observe/log.ts';
import { dhcpClientFilter } from './wire/bpf.ts';

export type DaemonOptions = {
  readonly socketPath: string;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  readonly logLevel: LogLevel;
};

const OWNER_FOLDER = 0o700;
/** Another plugin may wait for a network of its own; the runtimes' own patience is about as long. */
const DELEGATE_LIMIT_MS = 60_000;
const DELEGATE_OUTPUT_BYTES = 1 << 20;
/** An orderly end takes well under a second; counted from the signal, a hung one is cut. */
const STOP_LIMIT_MS = 10_000;
/** What is under way may end and be answered; a connection that is still there then is cut. */
const LAST_ANSWERS_MS = 2000;

type Log = ReturnType<typeof createLog>;

/**
 * Runs the daemon in the foreground until SIGTERM or SIGINT. Leases are not released at the end: pods live on.
 * Throws an Error for what a person can mend: a second daemon, an unwritable folder, a bad configuration.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { socketPath, stateDir } = options;
  const config = loadConfig(options.configPath);
  const log = createLog(options.logLevel);
  // Ended last to first, after a start that fails as well: one timer or socket left would keep the process, and with
  // it the lock, for ever.
  await using ends = new AsyncDisposableStack();
  const lock = lockStateDir(stateDir);
  ends.defer(() => lock.release());
  const files = await openFiles(stateDir);
  const counters = new Counters();
  const host = new HostNetwork();
  ends.defer(() => host.close());
  const count = (event: string): void => counters.add(event);
  const world = {
    clock: { now, bootId: bootId() },
    timers: { at: timerAt },
    random: randomFloat,
    store: recordStore(files, recordFileName),
    log,
    openPod: (path: string) => PodNetwork.open(path, host.rtnl),
    openTap: openUplinkTap(log, count),
    count,
  };
  const leases = new LeaseManager(world, { deadline: config.deadline, carrierWait: config.carrierWait });
  ends.defer(() => leases.close());
  const services: PluginServices = {
    leases,
    operations: new KeyedOperations(),
    host,
    openPod: world.openPod,
    runDelegate,
    dhcp: { broadcast: config.broadcast, rapidCommit: config.rapidCommit },
    log,
  };
  const dispatcher = new CniDispatcher(services);
  let ready = false;
  const api = createApi({
    dispatcher,
    leases: { list: () => leases.list(), now },
    isReady: () => ready,
    counters: () => counters.snapshot(),
  });
  ends.defer(() => closeApi(api));

  // Before anything is visible: a stop during the start is as orderly as any other.
  const stopped = stopSignal();
  const notify = (state: string): void => {
    const failed = sdNotify(state);
    if (failed !== undefined) log.warn({ error: failed.message }, 'the service manager could not be told');
  };
  // The socket first: where another daemon answers, nothing is done for the leases. Until ready all hear 503.
  await listenOn(api, socketPath);
  await takeUpLeases(files, leases, log);
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
    await Promise.all([spool.close(), services.operations.abortAll()]);
  });
  const settled = spool.settle().then(() => 'settled' as const);
  if ((await Promise.race([stopped, settled])) === 'settled') {
    ready = true;
    spool.start();
    notify('READY=1');
    log.info({ socket: socketPath, stateDir, leases: leases.size, pid: process.pid }, 'leasehold is ready');
  }

  const signal = await stopped;
  ready = false;
  notify('STOPPING=1');
  log.info({ signal }, 'leasehold stops; leases stay');
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

function lockStateDir(stateDir: string): FileLock {
  if (!stateDir.startsWith('/')) throw new Error(`--state-dir ${stateDir}: must be an absolute path`);
  try {
    mkdirSync(stateDir, { recursive: true, mode: OWNER_FOLDER });
  } catch (error) {
    throw unusable(stateDir, error);
  }
  const lock = lockFile(join(stateDir, 'lock'));
  if (lock.ok) return lock.value;
  if (lock.error.code === 'EWOULDBLOCK') {
    throw new Error(
      `--state-dir ${stateDir}: another daemon uses this folder; stop it, or choose another folder`,
    );
  }
  throw unusable(stateDir, lock.error);
}

function unusable(stateDir: string, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return new Error(`--state-dir ${stateDir}: cannot be used: ${text}`, { cause: error });
}

async function openFiles(stateDir: string): Promise<LeaseFiles> {
  try {
    return await LeaseFiles.open(stateDir);
  } catch (error) {
    throw unusable(stateDir, error);
  }
}

function openUplinkTap(
  log: Log,
  count: (event: string) => void,
): ConstructorParameters<typeof LeaseManager>[0]['openTap'] {
  const filter = dhcpClientFilter();
  return (uplinkIndex, onFrame) => {
    const tap = openTap(uplinkIndex, filter);
    tap.onFrame(
      (frame, { checksumReady }) => onFrame(frame, checksumReady),
      (error) => {
        count('tap-error');
        log.warn({ uplinkIndex, error: error.message }, 'the uplink can not be listened to for now');
      },
    );
    return { attached: () => tap.attached(), close: () => void tap.close() };
  };
}

/** Reads what an earlier run stored. A file that cannot be read is moved aside and named; the others go on. */
async function takeUpLeases(files: LeaseFiles, leases: LeaseManager, log: Log): Promise<void> {
  for (const file of await files.load()) {
    const record =
      'text' in file
        ? readStored(file.name, file.text, recordFileName)
        : ({ ok: false, error: file.problem } as const);
    if (record.ok) leases.resume(record.value);
    else await moveAside(files, file.name, record.error, log);
  }
}

async function moveAside(files: LeaseFiles, file: string, problem: string, log: Log): Promise<void> {
  try {
    const aside = await files.moveAside(file);
    log.error({ file, aside, problem }, 'a stored lease cannot be read and was moved aside');
  } catch (error) {
    if (!isSysError(error)) throw error;
    const { message } = error;
    log.error({ file, problem, error: message }, 'a stored lease cannot be read, nor be moved aside');
  }
}

const runDelegate: RunDelegate = async ({ type, path, environment, stdin, signal }) => {
  const file = await findPlugin(type, path);
  if (file === undefined) return { kind: 'not-found' };
  try {
    const ended = await runPlugin(file, {
      env: { ...environment, PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdin,
      timeoutMs: DELEGATE_LIMIT_MS,
      maxOutputBytes: DELEGATE_OUTPUT_BYTES,
      ...(signal === undefined ? {} : { signal }),
    });
    return { kind: 'ended', ...ended };
  } catch (error) {
    if (!isSysError(error)) throw error;
    return { kind: 'ended', status: undefined, stdout: '', stderr: error.message };
  }
};

async function findPlugin(type: string, path: readonly string[]): Promise<string | undefined> {
  for (const folder of path) {
    const file = join(folder, type);
    if (await isThere(file)) return file;
  }
  return undefined;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** The first of the signals. From then on the process has its limit, whatever it is at. */
function stopSignal(): Promise<'SIGTERM' | 'SIGINT'> {
  const { promise, resolve } = Promise.withResolvers<'SIGTERM' | 'SIGINT'>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
      resolve(signal);
    });
  }
  return promise;
}
