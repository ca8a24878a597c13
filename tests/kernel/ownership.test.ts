import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { foreign, foreignButRoot, foreignFolder } from '../../src/kernel/ownership.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const NOBODY = 65_534;
const options = { skip: NEEDS_ROOT };

/** A folder in a folder, both of this user alone. */
function folders(t: TestContext): { readonly above: string; readonly folder: string } {
  const above = mkdtempSync(join(tmpdir(), `lh-ownership-${process.pid}-`));
  t.after(() => rmSync(above, { recursive: true }));
  const folder = join(above, 'run');
  mkdirSync(folder, { mode: 0o700 });
  return { above, folder };
}

test('a file is this user’s alone, or also root’s', options, () => {
  assert.equal(foreign({ uid: 0, mode: 0o100644 }), undefined);
  assert.equal(foreign({ uid: NOBODY, mode: 0o100600 }), 'is owned by user 65534 (nobody), not by 0');
  assert.equal(foreignButRoot({ uid: 0, mode: 0o100644 }), undefined);
  assert.equal(foreignButRoot({ uid: 4711, mode: 0o100600 }), 'is owned by user 4711, not by 0');
  assert.equal(foreignButRoot({ uid: 0, mode: 0o100664 }), 'can be written by others (mode 0664)');
});

test(
  'a folder that is this user’s, in folders that are root’s or where nobody may rename it',
  options,
  (t) => {
    const { above, folder } = folders(t);
    assert.equal(foreignFolder(folder), undefined);
    chmodSync(above, 0o1777);
    assert.equal(foreignFolder(folder), undefined);
    chmodSync(folder, 0o1777);
    assert.equal(foreignFolder(folder), undefined);
  },
);

test(
  'a folder that another user owns, or may write to, is named with who it is and what to do',
  options,
  (t) => {
    const { above, folder } = folders(t);
    chownSync(folder, NOBODY, NOBODY);
    assert.equal(
      foreignFolder(folder),
      `${folder} is owned by user 65534 (nobody), not by 0; if what is in it is yours, give it to the daemon's user ` +
        `(chown 0 ${folder}; chmod go-w ${folder}), else remove it or choose another place`,
    );
    chownSync(folder, 0, 0);
    chmodSync(folder, 0o770);
    assert.match(foreignFolder(folder) ?? '', /run can be written by others \(mode 0770\); /);
    chmodSync(folder, 0o700);
    chmodSync(above, 0o777);
    assert.ok(foreignFolder(folder)?.startsWith(`${above} can be written by others (mode 0777); `));
    chmodSync(above, 0o700);
    chownSync(above, NOBODY, NOBODY);
    assert.ok(foreignFolder(folder)?.startsWith(`${above} is owned by user 65534 (nobody), not by 0; `));
  },
);

test('a link is judged by where it leads', options, (t) => {
  const { above, folder } = folders(t);
  const link = join(above, 'link');
  symlinkSync(folder, link);
  assert.equal(foreignFolder(link), undefined);
  chownSync(folder, NOBODY, NOBODY);
  assert.ok(foreignFolder(link)?.startsWith(`${folder} is owned by `));
});
