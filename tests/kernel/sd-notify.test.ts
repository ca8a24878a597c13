import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { check } from '../../src/kernel/errno.ts';
import { bind, closeFd, recv } from '../../src/kernel/ffi.ts';
import { sdNotify } from '../../src/kernel/sd-notify.ts';
import { openSocket, SOCK_DGRAM } from '../../src/kernel/socket-options.ts';

const AF_UNIX = 1;

/** Listens at `name` as a service manager does, lets `act` speak and gives what it said. */
function heard(name: string, act: () => void): string {
  const fd = openSocket('listen', AF_UNIX, SOCK_DGRAM, 0);
  try {
    const address = new Uint8Array([AF_UNIX, 0, ...utf8(name)]);
    check('bind', bind(fd, address, address.length));
    act();
    const bytes = new Uint8Array(4096);
    return new TextDecoder().decode(bytes.subarray(0, check('recv', recv(fd, bytes, bytes.length, 0))));
  } finally {
    closeFd(fd);
  }
}

test('tells the state to a path and to an abstract name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lh-notify-'));
  try {
    const path = join(folder, 'socket');
    const ready = heard(`${path}\0`, () => assert.equal(sdNotify('READY=1', path), undefined));
    assert.equal(ready, 'READY=1');
    const name = `lh-notify-${process.pid}`;
    const text = 'STOPPING=1\nSTATUS=going';
    assert.equal(
      heard(`\0${name}`, () => assert.equal(sdNotify(text, `@${name}`), undefined)),
      text,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('does nothing when nobody asked, and never throws', () => {
  assert.equal(sdNotify('READY=1', undefined), undefined);
  assert.equal(sdNotify('READY=1', ''), undefined);
  assert.equal(sdNotify('READY=1', '/nowhere/socket')?.code, 'ENOENT');
  assert.equal(sdNotify('READY=1', 'relative')?.code, 'EINVAL');
  assert.equal(sdNotify('READY=1', `/${'x'.repeat(200)}`)?.code, 'EINVAL');
});
