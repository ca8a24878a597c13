import { mkdir, writeFile } from 'node:fs/promises';
import { waitFor } from '../../../src/lab/wait.ts';
import { SystemdHost } from '../../install/support/systemd-host.ts';
import type { Stage } from '../../story/support/stage.ts';

const FOLDER = '/etc/systemd/network';

/** systemd-networkd under a systemd of its own, in the network namespace of the stage's node. */
export class Networkd implements AsyncDisposable {
  readonly #stage: Stage;
  readonly #host: SystemdHost;

  private constructor(stage: Stage, host: SystemdHost) {
    this.#stage = stage;
    this.#host = host;
  }

  /** Runs it with these files of /etc/systemd/network, until the node has an address. */
  static async start(stage: Stage, files: Readonly<Record<string, string>>): Promise<Networkd> {
    const networkd = new Networkd(stage, await SystemdHost.boot(stage.lan));
    try {
      await networkd.write(files);
      // With a /sys that can be written it waits for udev, of which there is none.
      await networkd.must('mount', '-o', 'remount,bind,ro', '/sys');
      await networkd.must('systemctl', 'start', 'dbus', 'systemd-networkd');
      await networkd.untilAddress();
    } catch (error) {
      await networkd[Symbol.asyncDispose]();
      throw error;
    }
    return networkd;
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(this.#host.path(FOLDER), { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      await writeFile(this.#host.path(`${FOLDER}/${name}`), text);
    }
  }

  async must(...command: readonly string[]): Promise<string> {
    return await this.#host.must(command);
  }

  async untilAddress(): Promise<void> {
    const has = async (): Promise<boolean> => (await this.#stage.lan.node.state())?.address !== undefined;
    await waitFor('networkd to have an address', has, { deadlineMs: 20_000, describe: () => this.log() });
  }

  async log(): Promise<string> {
    const { stdout } = await this.#host.run(['journalctl', '--no-pager', '-u', 'systemd-networkd']);
    return stdout.slice(-3000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }
}
