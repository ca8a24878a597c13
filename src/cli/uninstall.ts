import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { hostFolder } from '../install/host-path.ts';
import { readManifest } from '../install/manifest.ts';
import { STATE_FOLDER } from '../install/plan.ts';
import type { ServiceManager } from '../install/service.ts';
import { leasesHeld, uninstall } from '../install/uninstall.ts';
import { type Command, UsageError } from './command.ts';
import { parseOptions } from './options.ts';

export type UninstallParts = {
  readonly service: ServiceManager;
  /** Takes off what the daemon has made on this host; gives lines for a person. Rejects with an Error to stop there. */
  readonly undoHost?: ((stateDir: string) => Promise<readonly string[]>) | undefined;
};

/** `leasehold uninstall`: puts the host back. Status 1 when something was left that somebody has changed since. */
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
      const held = leasesHeld(stateDir);
      if (purge && held > 0 && !force) {
        throw new Error(
          `${held} leases are on record in ${stateDir}. Without it nobody renews them or gives them back: their pods keep their addresses until the leases end, and the server may then give these to others. Remove the pods first, or give --force`,
        );
      }
      const manifest = readManifest(base, stateDir);
      if (manifest === undefined && !purge) {
        console.log('nothing is installed here');
        return 0;
      }
      const left =
        manifest === undefined
          ? []
          : await uninstall({
              base,
              stateDir,
              manifest,
              service: here && parts.service.isRunning() ? parts.service : undefined,
              undoHost: here ? parts.undoHost : undefined,
              say,
            });
      if (purge) {
        rmSync(stateDir, { recursive: true, force: true });
        say(`removed ${stateDir}`);
      } else if (held > 0) {
        say(
          `${held} leases are still on record in ${stateDir}: nobody renews them now; the next install takes them up again`,
        );
      }
      return left.length === 0 ? 0 : 1;
    },
  };
}

function say(line: string): void {
  console.log(line);
}
