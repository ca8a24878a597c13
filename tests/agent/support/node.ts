import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Keeper, type KeeperParts } from '../../../src/agent/keeper.ts';
import { removeAll, type RemovalParts } from '../../../src/agent/removal.ts';
import { networkWish, pluginWish } from '../../../src/agent/wishes.ts';
import { SimWorld } from '../../kube/support/world.ts';
import { namesIn } from './agents.ts';

export const RELAY = 'the relay';
export const LOOPBACK = 'the plugin loopback';
export const CONFLIST = '05-leasehold.conflist';
export const NETWORK = '{"cniVersion":"1.1.0","name":"lan","plugins":[{"type":"leasehold"}]}';

/** A node's folders, which a keeper under virtual time keeps. */
export class Node {
  readonly folder: string;
  readonly bin: string;
  readonly conf: string;
  readonly state: string;
  readonly world = new SimWorld();
  readonly said: { readonly level: string; readonly text: string }[] = [];

  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), `lh-keeper-${process.pid}-`));
    t.after(() => rmSync(this.folder, { recursive: true, force: true }));
    this.bin = join(this.folder, 'opt/cni/bin');
    this.conf = join(this.folder, 'etc/cni/net.d');
    this.state = join(this.folder, 'state');
  }

  /** Folders that are there before an agent comes, with a plugin of somebody else. */
  settled(): this {
    mkdirSync(this.bin, { recursive: true });
    mkdirSync(this.conf, { recursive: true });
    writeFileSync(this.plugin('dhcp'), 'the Go plugin', { mode: 0o755 });
    writeFileSync(join(this.conf, '10-flannel.conflist'), '{}');
    return this;
  }

  plugin(name: string): string {
    return join(this.bin, name);
  }

  get conflist(): string {
    return join(this.conf, CONFLIST);
  }

  keeper(t: TestContext, more: Partial<KeeperParts> & { readonly relay?: string } = {}): Keeper {
    const { relay = RELAY, ...parts } = more;
    const say =
      (level: string) =>
      (fields: object, text: string): void =>
        void this.said.push({ level, text: `${text} ${JSON.stringify(fields)}` });
    const keeper = new Keeper({
      folders: { plugin: this.bin, network: this.conf },
      wishes: [
        ...['leasehold', 'dhcp'].map((name) => pluginWish(name, Buffer.from(relay))),
        networkWish(CONFLIST, NETWORK),
      ],
      stateDir: this.state,
      clock: this.world.clock,
      timers: this.world.timers,
      log: { info: say('info'), warn: say('warn'), error: say('error') },
      ...parts,
    });
    t.after(() => {
      keeper.close();
      // It may have written its state once more.
      rmSync(this.folder, { recursive: true, force: true });
    });
    return keeper;
  }

  async remove(before?: (what: string) => void): Promise<readonly string[]> {
    const parts: RemovalParts = {
      folders: { plugin: this.bin, network: this.conf },
      stateDir: this.state,
      socketPath: join(this.folder, 'run/leasehold.sock'),
      undoHost: () => Promise.resolve({ done: [], failed: [] }),
      say: (text) => void this.said.push({ level: 'say', text }),
    };
    return await removeAll(before === undefined ? parts : { ...parts, before });
  }

  /** All files that are ours or others', with their content. */
  snapshot(): readonly string[] {
    return [this.bin, this.conf].flatMap((folder) =>
      namesIn(folder).map((name) => `${name}: ${readFileSync(join(folder, name), 'utf8')}`),
    );
  }

  assertKept(relay = RELAY): void {
    for (const name of ['leasehold', 'dhcp']) {
      assert.ok(lstatSync(this.plugin(name)).isFile(), name);
      assert.equal(readFileSync(this.plugin(name), 'utf8'), relay);
      assert.equal(statSync(this.plugin(name)).mode & 0o7777, 0o755);
    }
    assert.equal(readFileSync(this.conflist, 'utf8'), `${NETWORK}\n`);
    assert.equal(statSync(this.conflist).mode & 0o7777, 0o600);
  }

  heard(pattern: RegExp, level?: string): number {
    return this.said.filter((one) => pattern.test(one.text) && (level ?? one.level) === one.level).length;
  }
}
