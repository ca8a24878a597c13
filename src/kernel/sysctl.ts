import { readFileSync, writeFileSync } from 'node:fs';
import { SysError } from '../base/sys-error.ts';
import { fromNodeError } from './errno.ts';
import type { NetNs } from './netns.ts';

const ROOT = '/proc/sys/net';
const PIECE_MAX = 64;

/**
 * The path below /proc/sys/net, in pieces (['ipv4', 'conf', 'eth0', 'arp_notify']), because an interface name may
 * hold dots, which sysctl(8)'s notation cannot tell from its own.
 */
export type SysctlKey = readonly string[];

function pathOf(op: string, key: SysctlKey): string {
  for (const piece of key) {
    const escapes = piece === '.' || piece === '..' || /[/\0]/.test(piece);
    if (piece === '' || escapes || piece.length > PIECE_MAX) {
      throw new SysError(op, 'EINVAL', `"${piece.slice(0, PIECE_MAX)}" is no part of a sysctl's name`);
    }
  }
  return [ROOT, ...key].join('/');
}

// /proc/sys/net shows the namespace of the thread that looks: so the file is opened inside.
function inside(netns: NetNs, op: string, work: () => string): string {
  try {
    return netns.run(work);
  } catch (error) {
    throw fromNodeError(op, error);
  }
}

/** Throws SysError: ENOENT when the kernel or the interface has no such sysctl, EINVAL for a value it refuses. */
export function writeSysctl(netns: NetNs, key: SysctlKey, value: string): void {
  const op = `write sysctl net.${key.join('.')}`;
  const path = pathOf(op, key);
  inside(netns, op, () => {
    // 'r+': a misspelt name must not try to make a file.
    writeFileSync(path, value, { flag: 'r+' });
    return value;
  });
}

/** Several, entering the namespace once. What the kernel does not have (IPv6 switched off) is passed over. */
export function writeSysctls(netns: NetNs, settings: readonly (readonly [SysctlKey, string])[]): void {
  const op = `write sysctls ${settings.map(([key]) => `net.${key.join('.')}`).join(', ')}`;
  const paths = settings.map(([key, value]) => [pathOf(op, key), value] as const);
  inside(netns, op, () => {
    for (const [path, value] of paths) writeIfThere(path, value);
    return '';
  });
}

function writeIfThere(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: 'r+' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** The value without the line's end. Throws SysError. */
export function readSysctl(netns: NetNs, key: SysctlKey): string {
  const op = `read sysctl net.${key.join('.')}`;
  const path = pathOf(op, key);
  return inside(netns, op, () => readFileSync(path, 'utf8')).trimEnd();
}
