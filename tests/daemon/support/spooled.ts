import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Site } from './site.ts';

const PRIVATE = 0o700;
let written = 0;

export function spoolOf(site: Pick<Site, 'socket'>): string {
  return `${site.socket}.spool`;
}

/** A request as the relay writes it: the bytes that it would have sent. */
export function spooledRequest(
  variables: Readonly<Record<string, string>>,
  body: string,
  plugin = 'macvlan',
): string {
  const head = [
    `POST /cni/${plugin} HTTP/1.1`,
    'Host: leasehold',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...Object.entries(variables).map(([name, value]) => {
      const header = name.toLowerCase().replaceAll('_', '-');
      return `${header}: ${encodeURIComponent(value).replaceAll('%2F', '/')}`;
    }),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

export async function makeSpool(site: Pick<Site, 'socket'>): Promise<string> {
  const folder = spoolOf(site);
  await mkdir(folder, { recursive: true, mode: PRIVATE });
  return folder;
}

/** Puts a request there as the relay does: whole, by a rename. */
export async function spool(site: Pick<Site, 'socket'>, request: string): Promise<string> {
  const folder = await makeSpool(site);
  written += 1;
  const name = `${String(written).padStart(20, '0')}-${process.pid}.req`;
  await writeFile(join(folder, `.tmp-${name}`), request, { mode: 0o600 });
  await rename(join(folder, `.tmp-${name}`), join(folder, name));
  return name;
}

export async function spoolEntries(site: Pick<Site, 'socket'>): Promise<readonly string[]> {
  return await readdir(spoolOf(site));
}
