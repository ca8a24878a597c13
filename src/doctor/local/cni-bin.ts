import type { Finding } from '../finding.ts';
import type { Check, LocalView } from './check.ts';
import { cniFiles, typesIn } from './cni-files.ts';
import { findPlugin } from './plugin-search.ts';

/** What the relay says of itself in its help, and no other program does. */
const RELAY_MARK = 'This is a CNI plugin of Leasehold';
const RELAY_NAMES = ['leasehold', 'dhcp', 'macvlan', 'route-override'];

export const cniBinCheck: Check = {
  subject: 'the plugins that the configurations name',
  look: (view) => {
    const { facts, places } = view;
    const wanted = new Map<string, string>();
    for (const file of cniFiles(facts, places.cniConf)) {
      for (const type of typesIn(file)) if (!wanted.has(type)) wanted.set(type, file.name);
    }
    return [...wanted].flatMap(([type, file]) => programFindings(view, type, file));
  },
};

function programFindings({ facts, places }: LocalView, type: string, file: string): readonly Finding[] {
  const found = findPlugin(facts, places.cniBins, type);
  if (found.kind === 'there') return [];
  const searched = `searched: ${places.cniBins.join(', ')}`;
  const remedy =
    type === 'loopback'
      ? ['leasehold install, which puts one there']
      : RELAY_NAMES.includes(type) && type !== 'macvlan'
        ? ['leasehold install, which puts the relay there under its names']
        : [
            'install the CNI plugins of your distribution or of containernetworking, or name their folder: --cni-bin',
          ];
  if (found.kind === 'missing') {
    return [
      {
        id: 'cni-plugin-missing',
        severity: 'error',
        title: `the plugin "${type}", which ${file} names, is in no folder of plugins`,
        evidence: [searched],
        remedy,
      },
    ];
  }
  return [
    {
      id: 'cni-plugin-unusable',
      severity: 'error',
      title:
        found.kind === 'dangling'
          ? `${found.path}, which ${file} needs, is a link to nothing`
          : `${found.path}, which ${file} needs, is not executable`,
      evidence: [found.target === undefined ? found.path : `${found.path} -> ${found.target}`],
      remedy: found.kind === 'dangling' ? remedy : [`chmod 755 ${found.path}`],
    },
  ];
}

/** One program under many names, as in k3s: a copy over one of them, or through the link, would end them all. */
export const multicallCheck: Check = {
  subject: 'plugins that are links to one program',
  look: ({ facts, places }) => {
    const folders = [...new Set([...places.cniBins, ...places.k3sBins])];
    return folders.flatMap((folder): readonly Finding[] => {
      const names = new Map<string, string[]>();
      for (const name of (facts.list(folder) ?? []).toSorted()) {
        const identity = facts.look(`${folder}/${name}`)?.identity;
        if (identity !== undefined) names.set(identity, [...(names.get(identity) ?? []), name]);
      }
      return [...names.values()]
        .filter((group) => group.length > 1 && !facts.holds(`${folder}/${group[0] ?? ''}`, RELAY_MARK))
        .map((group) => {
          const first = `${folder}/${group[0] ?? ''}`;
          return {
            id: 'cni-bin-multicall',
            severity: 'note',
            title: `${group.length} names in ${folder} are one program: copying over one of them would end them all`,
            evidence: [
              group.slice(0, 20).join(', '),
              `they lead to ${facts.look(first)?.resolved ?? 'one file with several names'}`,
            ],
            remedy: [
              'never cp a plugin over one of these names: remove the name first, or use "leasehold install", which does',
            ],
          };
        });
    });
  },
};

/** A relay of another release understands most of what this daemon says, and not all. */
export const relayCheck: Check = {
  subject: "whether the relay in the folders of plugins is this release's",
  look: ({ facts, places }) => {
    const own = places.relay === undefined ? undefined : facts.digest(places.relay);
    if (own === undefined) return [];
    const others = places.cniBins.flatMap((folder) =>
      RELAY_NAMES.map((name) => `${folder}/${name}`).filter(
        (path) => facts.holds(path, RELAY_MARK) && facts.digest(path) !== own,
      ),
    );
    if (others.length === 0) return [];
    return [
      {
        id: 'relay-differs',
        severity: 'warning',
        title: 'the relay that runtimes execute is of another release than this one',
        evidence: others.map((path) => `${path} differs from ${places.relay ?? ''}`),
        remedy: ['leasehold install, which replaces it'],
      },
    ];
  },
};
