import { closeSync, openSync } from 'node:fs';
import { utf8 } from '../base/bytes.ts';
import { err, ok, type Result } from '../base/result.ts';
import { SysError } from '../base/sys-error.ts';
import { check, fromNodeError } from './errno.ts';
import { mount, unshare } from './ffi.ts';

// linux/sched.h
const CLONE_NEWNS = 0x00020000;
// linux/mount.h
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_PRIVATE = 1 << 18;

// C strings.
const PROC = utf8('/proc\0');
const PROC_SYS = utf8('/proc/sys\0');
/** Every kernel with IPv4 has it. Nothing is written to it: opening tells. */
const ANY_SYSCTL = '/proc/sys/net/ipv4/conf/default/forwarding';

/** Why no sysctl of an interface can be set; undefined where they can. EROFS: /proc/sys is mounted read-only. */
export function procSysProblem(): SysError | undefined {
  const op = 'open /proc/sys for writing';
  try {
    closeSync(openSync(ANY_SYSCTL, 'r+'));
    return undefined;
  } catch (error) {
    const problem = fromNodeError(op, error);
    if (problem instanceof SysError) return problem;
    throw error;
  }
}

/**
 * Where /proc/sys is read-only, as runtimes mount it into containers that are not privileged, it is made writable for the
 * calling thread alone: in a mount namespace of its own, so that no other process sees it, be this one in a container or
 * not. All sysctls are written by the loop's thread. Mounts that come later, as the pods' namespaces do, reach both:
 * only /proc is cut off. Gives whether something was done; SysError EPERM without CAP_SYS_ADMIN, EACCES where AppArmor
 * forbids mount(2).
 */
export function makeProcSysWritable(): Result<boolean, SysError> {
  const problem = procSysProblem();
  if (problem === undefined) return ok(false);
  if (problem.code !== 'EROFS') return err(problem);
  try {
    const op = 'mount /proc/sys read-write';
    check(op, unshare(CLONE_NEWNS));
    // Else what follows would be handed on to where this namespace was copied from (mount_namespaces(7)).
    check(op, mount(null, PROC, null, MS_REC | MS_PRIVATE, null));
    // It need not be a mount of its own; its flags are those of the mount that it is taken from.
    check(op, mount(PROC_SYS, PROC_SYS, null, MS_BIND, null));
    const flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    check(op, mount(null, PROC_SYS, null, flags, null));
  } catch (error) {
    if (error instanceof SysError) return err(error);
    throw error;
  }
  const left = procSysProblem();
  return left === undefined ? ok(true) : err(left);
}
