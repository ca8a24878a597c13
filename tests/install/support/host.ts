import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describePlan, install } from '../../../src/install/install.ts';
import { readManifest } from '../../../src/install/manifest.ts';
import { type InstallOptions, type Plan, planInstall, STATE_FOLDER } from '../../../src/install/plan.ts';
import type { ServiceManager } from '../../../src/install/service.ts';
import { uninstall } from '../../../src/install/uninstall.ts';
import { temporaryFolder } from './folder.ts';
import { fakeTree } from './fake-tree.ts';

export const CONFLIST = '{ "cniVersion": "1.0.0", "name": "lan", "plugins": [{ "type": "leasehold" }] }';
const HOST_FOLDERS = ['opt/cni/bin', 'etc/cni/net.d', 'etc/systemd/system', 'usr/local/bin', 'var/lib'];

type Stop = (what: string) => void;
type Said = { readonly said: readonly string[] };

/** A host that is a folder, and a program to install that is small. */
export class FolderHost {
  readonly root: string;
  readonly tree: string;
  /** Calls of systemctl. */
  readonly calls: string[] = [];
  /** What of the network cannot be taken off this host. */
  notUndone: readonly string[] = [];
  #options: InstallOptions;

  constructor(t: TestContext, options: Partial<InstallOptions> = {}) {
    const folder = temporaryFolder(t);
    this.root = join(folder, 'host');
    this.tree = fakeTree(join(folder, 'program'));
    for (const path of HOST_FOLDERS) mkdirSync(join(this.root, path), { recursive: true });
    this.#options = {
      root: this.root,
      cniBin: '/opt/cni/bin',
      cniConf: '/etc/cni/net.d',
      prefix: '/usr/local/lib/leasehold',
      dropIn: true,
      replace: false,
      conflist: CONFLIST,
      unit: true,
      configPath: undefined,
      serviceCidrs: [],
      ...options,
    };
  }

  path(path: string): string {
    return join(this.root, path);
  }

  get #stateDir(): string {
    return this.path(STATE_FOLDER);
  }

  /** Gives status 0 to all. */
  get service(): ServiceManager {
    return {
      isRunning: () => true,
      systemctl: (args) => {
        this.calls.push(args.join(' '));
        return Promise.resolve({ status: 0, output: '' });
      },
    };
  }

  plan(options: Partial<InstallOptions> = {}): Plan {
    const manifest = readManifest(this.root, this.#stateDir);
    return planInstall({ ...this.#options, ...options }, { tree: this.tree, version: '1.2.3' }, manifest);
  }

  describe(options: Partial<InstallOptions> = {}): readonly string[] {
    return describePlan({ plan: this.plan(options) });
  }

  /** Rejects with the refusals, if there are any. */
  async install(options: Partial<InstallOptions> = {}, before: Stop = () => undefined): Promise<Said> {
    const plan = this.plan(options);
    if (plan.refusals.length > 0) throw new Error(plan.refusals.join('\n'));
    const said: string[] = [];
    const manifest = readManifest(this.root, this.#stateDir);
    await install({ plan, manifest, service: this.service, say: (line) => said.push(line), before });
    return { said };
  }

  async uninstall(before: Stop = () => undefined): Promise<Said & { readonly left: readonly string[] }> {
    const manifest = readManifest(this.root, this.#stateDir);
    if (manifest === undefined) return { said: [], left: [] };
    const said: string[] = [];
    const left = await uninstall({
      base: this.root,
      stateDir: this.#stateDir,
      manifest,
      service: this.service,
      undoHost: () => Promise.resolve({ done: ['the host side is undone'], failed: this.notUndone }),
      say: (line) => said.push(line),
      before,
    });
    return { said, left };
  }
}
