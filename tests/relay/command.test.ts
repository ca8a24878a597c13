import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { answer, listenWith } from './support/fake-daemon.ts';
import { makeFolder } from './support/folder.ts';
import { assertError, buildTestRelay, runRelay } from './support/relay.ts';

before(buildTestRelay);

const versions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

describe('VERSION', () => {
  for (const [title, stdin] of [
    ['nothing', ''],
    ['a configuration', '{"cniVersion":"0.4.0"}'],
    ['garbage', '{{{\0'],
  ] as const) {
    test(`is answered without the daemon: ${title} on stdin`, async () => {
      const outcome = await runRelay({ plugin: 'dhcp', command: 'VERSION', stdin, socket: 'not/absolute' });
      assert.equal(outcome.code, 0);
      assert.deepEqual(JSON.parse(outcome.stdout), { cniVersion: '1.1.0', supportedVersions: versions });
    });
  }

  test('does not wait for a stdin that stays open', async () => {
    assert.equal((await runRelay({ command: 'VERSION', keepStdinOpen: true })).code, 0);
  });
});

describe('without CNI_COMMAND', () => {
  test('the error says what the program is and how the daemon is started', async () => {
    for (const env of [{}, { CNI_COMMAND: '' }]) {
      const error = assertError(await runRelay({ env }), 4, /^CNI_COMMAND is not set$/);
      assert.match(
        error.details ?? '',
        /CNI plugin of Leasehold.*as root with `leasehold daemon --socket PATH`/,
      );
    }
  });

  test('stdin is not read: a person has a terminal there', async () => {
    assertError(await runRelay({ keepStdinOpen: true }), 4, /CNI_COMMAND/);
  });
});

describe('a command that the relay does not know', () => {
  test('is for the daemon to judge', async () => {
    await using folder = await makeFolder();
    const body = '{"cniVersion":"1.1.0","code":4,"msg":"unknown CNI_COMMAND: del"}';
    await using daemon = await listenWith(folder.socket, answer(400, body));
    const outcome = await runRelay({ command: 'del', socket: folder.socket });
    assert.deepEqual(outcome, { code: 1, stdout: body });
    assert.equal(daemon.requests[0]?.headers.get('Cni-Command'), 'del');
  });
});
