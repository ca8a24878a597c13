import { readFileSync, rmSync } from 'node:fs';
import { createServer as createControl } from 'node:http';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';

// Started in a namespace by scripted-api.ts: a Kubernetes API that says what it is told to say, by a UNIX socket.

/** What the server has and how it behaves. */
export type ApiState = {
  /** ServiceCIDR objects by name; undefined: 403, as for a kubelet. */
  readonly cidrs?: Readonly<Record<string, readonly string[]>>;
  /** The address of the service default/kubernetes. */
  readonly service?: string;
  /** Whom it believes; undefined: who has a certificate. */
  readonly token?: string;
  /** Which server certificate of the PKI it shows: "server". */
  readonly certificate?: string;
  /** The DaemonSet kube-system/leasehold; undefined: there is none. */
  readonly daemonSet?: { readonly uid: string; readonly isLeaving?: boolean };
  /** Lists and gets of it are forbidden; watches that are open go on, as kube-apiserver has it. */
  readonly hidesDaemonSet?: boolean;
  /** Answers all that is asked with a list without end. */
  readonly isHostile?: boolean;
};

const [folder = '', port = '', controlPath = ''] = process.argv.slice(2);
const read = (name: string): Buffer => readFileSync(join(folder, name));
const GROUP = 'networking.k8s.io/v1';
const FORBIDDEN = { kind: 'Status', code: 403, reason: 'Forbidden' };

let state: ApiState = {};
let version = 100;
const watches = new Set<ServerResponse>();
const daemonSetWatches = new Set<ServerResponse>();
const asked: string[] = [];
/** What a watch from an earlier version on has missed. */
const history: { readonly version: number; readonly line: string }[] = [];

function objectOf(name: string, cidrs: readonly string[]): object {
  return {
    apiVersion: GROUP,
    kind: 'ServiceCIDR',
    metadata: { name, resourceVersion: `${version}` },
    spec: { cidrs },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function daemonSetOf({ uid, isLeaving }: NonNullable<ApiState['daemonSet']>): object {
  const leaving = isLeaving === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  const metadata = {
    name: 'leasehold',
    namespace: 'kube-system',
    uid,
    resourceVersion: `${version}`,
    ...leaving,
  };
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: {}, status: {} };
}

function tellDaemonSet(type: string, daemonSet: NonNullable<ApiState['daemonSet']>): void {
  version += 1;
  for (const watch of daemonSetWatches) {
    watch.write(`${JSON.stringify({ type, object: daemonSetOf(daemonSet) })}\n`);
  }
}

function takeDaemonSet(before: ApiState['daemonSet'], now: ApiState['daemonSet']): void {
  if (JSON.stringify(before) === JSON.stringify(now)) return;
  const isAnother = before?.uid !== now?.uid;
  if (before !== undefined && isAnother) tellDaemonSet('DELETED', before);
  if (now !== undefined) tellDaemonSet(isAnother ? 'ADDED' : 'MODIFIED', now);
}

function daemonSets(url: URL, response: ServerResponse): void {
  const { daemonSet, hidesDaemonSet } = state;
  if (hidesDaemonSet === true) return json(response, 403, FORBIDDEN);
  const items = daemonSet === undefined ? [] : [daemonSetOf(daemonSet)];
  if (url.pathname.endsWith('/leasehold')) {
    return items[0] === undefined
      ? json(response, 404, { kind: 'Status', code: 404 })
      : json(response, 200, items[0]);
  }
  if (url.searchParams.get('watch') !== '1') {
    const metadata = { resourceVersion: `${version}` };
    return json(response, 200, { apiVersion: 'apps/v1', kind: 'DaemonSetList', metadata, items });
  }
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  daemonSetWatches.add(response);
  response.on('close', () => daemonSetWatches.delete(response));
}

/** To those who watch, and for those who come back. */
function tell(type: string, name: string, cidrs: readonly string[]): void {
  version += 1;
  const line = `${JSON.stringify({ type, object: objectOf(name, cidrs) })}\n`;
  history.push({ version, line });
  for (const watch of watches) watch.write(line);
}

function take(next: ApiState): void {
  const [before, now] = [state.cidrs ?? {}, next.cidrs ?? {}];
  const certificate = next.certificate ?? 'server';
  api.setSecureContext({
    ca: read('ca.crt'),
    cert: read(`${certificate}.crt`),
    key: read(`${certificate}.key`),
  });
  const isOther =
    next.token !== state.token ||
    next.isHostile !== state.isHostile ||
    next.certificate !== state.certificate;
  const past = state.daemonSet;
  state = next;
  if (isOther) {
    for (const watch of [...watches, ...daemonSetWatches]) watch.destroy();
    watches.clear();
  }
  takeDaemonSet(past, next.daemonSet);
  for (const [name, cidrs] of Object.entries(now)) {
    const old = before[name];
    if (old === undefined) tell('ADDED', name, cidrs);
    else if (old.join() !== cidrs.join()) tell('MODIFIED', name, cidrs);
  }
  for (const [name, cidrs] of Object.entries(before)) {
    if (now[name] === undefined) tell('DELETED', name, cidrs);
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** A list that goes on for as long as somebody reads. */
function listWithoutEnd(response: ServerResponse): void {
  const chunk = `${JSON.stringify(objectOf('x', ['0.0.0.0/1']))},`.repeat(500);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  response.write(
    `{"apiVersion":"${GROUP}","kind":"ServiceCIDRList","metadata":{"resourceVersion":"1"},"items":[`,
  );
  more();
}

function listOrWatch(url: URL, response: ServerResponse): void {
  if (state.cidrs === undefined) return json(response, 403, FORBIDDEN);
  if (url.searchParams.get('watch') === '1') {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    const since = Number(url.searchParams.get('resourceVersion'));
    for (const past of history) if (past.version > since) response.write(past.line);
    watches.add(response);
    response.on('close', () => watches.delete(response));
    return;
  }
  json(response, 200, {
    apiVersion: GROUP,
    kind: 'ServiceCIDRList',
    metadata: { resourceVersion: `${version}` },
    items: Object.entries(state.cidrs).map(([name, cidrs]) => objectOf(name, cidrs)),
  });
}

const api = createServer(
  {
    ca: read('ca.crt'),
    cert: read('server.crt'),
    key: read('server.key'),
    requestCert: true,
    rejectUnauthorized: false,
  },
  (request, response) => {
    const url = new URL(request.url ?? '/', 'https://127.0.0.1');
    asked.push(`${request.url ?? ''} ${request.headers.authorization ?? ''}`);
    const isKnown =
      state.token === undefined
        ? (request.socket as unknown as { authorized: boolean }).authorized
        : request.headers.authorization === `Bearer ${state.token}`;
    if (!isKnown) json(response, 401, { kind: 'Status', code: 401 });
    else if (state.isHostile === true) listWithoutEnd(response);
    else if (url.pathname === `/apis/${GROUP}/servicecidrs`) listOrWatch(url, response);
    else if (url.pathname.startsWith('/apis/apps/v1/namespaces/kube-system/daemonsets')) {
      daemonSets(url, response);
    } else if (state.service === undefined) json(response, 403, FORBIDDEN);
    else if (url.pathname === '/api/v1/namespaces/default/services/kubernetes') {
      json(response, 200, { apiVersion: 'v1', kind: 'Service', spec: { clusterIP: state.service } });
    } else if (url.pathname.endsWith('/services')) {
      json(response, 200, { items: [{ spec: { clusterIP: state.service } }] });
    } else json(response, 403, FORBIDDEN);
  },
);
api.listen(Number(port), '127.0.0.1');

rmSync(controlPath, { force: true });
createControl((request, response) => {
  const told = new URL(request.url ?? '/', 'http://control').searchParams.get('state');
  if (told !== null) take(JSON.parse(told) as ApiState);
  response.end(JSON.stringify(asked));
}).listen(controlPath);
