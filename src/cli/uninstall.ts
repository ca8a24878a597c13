import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { visible } from '../base/outside-text.ts';
import { hostFolder } from '../install/host-path.ts';
import { readManifest } from '../install/manifest.ts';
import { STATE_FOLDER } from '../install/plan.ts';
import type { ServiceManager } from '../install/service.ts';
import { leasesHeld, uninstall, type UndoHost } from '../install/uninstall.ts';
import { type Command, UsageError } from './command.ts';
import { parseOptions } from './options.ts';

export type UninstallParts = {
  readonly service: ServiceManager;
  /** Of this host, also where nothing is installed: a daemon may have been started by hand. */
  readonly undoHost?: UndoHost | undefined;
};

/** `leasehold uninstall`: puts the host back. Status 1 when something was left. */
export function uninstallCommand(parts: UninstallParts): Command {
  return {
    name: 'uninstall',
    usage: '[--purge [--force]] [--root DIR]',
    summary: 'undo install exactly; --purge removes the leases on record too',
    async run(argv) {
      const { values } = parseOptions(() =>
        parseArgs({
          args: [...argv],
          options: {
            purge: { type: 'boolean', default: false },
            force: { type: 'boolean', default: false },
            root: { type: 'string', default: '/' },
          },
        }),
      );
      const { root, purge, force } = values;
      if (!root.startsWith('/')) throw new UsageError(`--root ${root}: must be an absolute path`);
      const { base, path: stateDir } = hostFolder(root, STATE_FOLDER, 'the state folder');
      const here = root === '/';
      const held = leasesHeld(base, stateDir);
      if (purge && held > 0 && !force) {
        throw new Error(
          `${held} leases are on record in ${stateDir}. Without it nobody renews them or gives them back: their pods keep their addresses until the leases end, and the server may then give these to others. Remove the pods first, or give --force`,
        );
      }
      const manifest = readManifest(base, stateDir);
      const undoHost = here ? parts.undoHost : undefined;
      if (manifest === undefined && !purge) say('nothing is installed here');
      const left =
        manifest === undefined
          ? await undoAlone(undoHost, stateDir)
          : await uninstall({
              base,
              stateDir,
              manifest,
              service: here && parts.service.isRunning() ? parts.service : undefined,
              undoHost,
              say,
            });
      if (purge) {
        rmSync(stateDir, { recursive: true, force: true });
        say(`removed ${stateDir}`);
      } else if (held > 0 && manifest !== undefined) {
        say(
          `${held} leases are still on record in ${stateDir}: nobody renews them now; the next install takes them up again`,
        );
      }
      return left.length === 0 ? 0 : 1;
    },
  };
}

/** What a daemon left that was started by hand, or an uninstall that could not do all. Gives what is still left. */
async function undoAlone(undoHost: UndoHost | undefined, stateDir: string): Promise<readonly string[]> {
  if (undoHost === undefined) return [];
  const { done, failed } = await undoHost(stateDir);
  for (const line of [...done, ...failed]) say(line);
  return failed;
}

function say(line: string): void {
  console.log(visible(line));
}
