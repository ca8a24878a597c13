import { formatCidr } from '../../base/cidr.ts';
import { type FoundServiceNetwork, INFERENCES, MOST_NETWORKS, networksIn } from './found.ts';

const STATED = 'stated';
const SOURCE = 'found by an earlier run of the daemon';

/** What was found, as text: a line for the boot, for a machine may join another cluster, then one for each network. */
export function formatKept(bootId: string, found: readonly FoundServiceNetwork[]): string {
  const lines = found.map(({ network, inferred = STATED }) => `${formatCidr(network)} ${inferred}`);
  return [bootId, ...lines, ''].join('\n');
}

/** Nothing of another boot; a line that cannot be read is left out. */
export function parseKept(bootId: string, text: string): readonly FoundServiceNetwork[] {
  const [boot, ...lines] = text.split('\n');
  if (boot !== bootId) return [];
  return lines.slice(0, MOST_NETWORKS).flatMap((line) => {
    const [network = '', how] = line.split(' ');
    const inferred = INFERENCES.find((one) => one === how);
    if (inferred === undefined && how !== STATED) return [];
    return networksIn(network, SOURCE).map((one) => ({
      ...one,
      ...(inferred === undefined ? {} : { inferred }),
    }));
  });
}
