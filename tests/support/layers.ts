import { posix } from 'node:path';

/** What the files of one folder of src/ may import beside each other. */
export type Rule = {
  /** Other folders; '*' is all of them. */
  readonly layers: readonly string[];
  /** Packages, and the files that may know them; '*' is any file of the layer. */
  readonly packages?: Readonly<Record<string, readonly string[]>>;
  /** Modules of Node. */
  readonly node?: 'none' | 'no child processes' | 'any';
};

export type Rules = Readonly<Record<string, Rule>>;

/** The composition root: the files directly in src/. */
export const ROOT_LAYER = '.';

/**
 * The layers, bottom first. A test compares it with the table in ARCHITECTURE.md. `cni` knows two things of the layers
 * below `lease`: the option table, because option names are part of a configuration, and the types of the client's
 * settings and of a lease.
 */
export const LAYERS: Rules = {
  base: { layers: [], node: 'none' },
  wire: { layers: ['base'], node: 'none' },
  protocol: { layers: ['wire', 'base'], node: 'none' },
  lease: { layers: ['protocol', 'wire', 'base'], node: 'none', packages: { valibot: ['*'] } },
  node: { layers: ['wire', 'base'], packages: { valibot: ['*'] } },
  kube: { layers: ['base'], node: 'none', packages: { valibot: ['*'] } },
  cni: { layers: ['lease', 'node', 'protocol', 'wire', 'base'], packages: { valibot: ['*'] } },
  kernel: { layers: ['wire', 'base'], node: 'any', packages: { koffi: ['ffi.ts', 'poll.ts'] } },
  observe: { layers: ['base'], packages: { pino: ['*'] } },
  api: { layers: ['cni', 'lease', 'node', 'protocol', 'wire', 'observe', 'base'] },
  doctor: { layers: ['cni', 'node', 'protocol', 'wire', 'base'], packages: { valibot: ['*'] } },
  install: { layers: ['base'] },
  agent: { layers: ['install', 'node', 'base'] },
  cli: { layers: ['api', 'doctor', 'install', 'base'] },
  daemon: {
    layers: ['api', 'cni', 'doctor', 'kernel', 'kube', 'lease', 'node', 'observe', 'wire', 'base'],
    packages: { valibot: ['*'] },
  },
  lab: { layers: ['api', 'base'], node: 'any', packages: { valibot: ['*'] } },
  [ROOT_LAYER]: { layers: ['*'] },
};

/** A file by its path in src/, and its text. */
export type Source = { readonly path: string; readonly text: string };

const COMMENT = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm;
/** Static, for effect, dynamic, re-export, and Node's own way around import. */
const SPECIFIER = /\b(?:from|import|require|getBuiltinModule)\s*\(?\s*(['"`])([^'"`\n]+)\1/g;

/** What a text imports, types included, each once. */
export function importsOf(text: string): readonly string[] {
  const code = text.replaceAll(COMMENT, '');
  return [...new Set([...code.matchAll(SPECIFIER)].map((match) => match[2] ?? ''))];
}

export function layerOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ROOT_LAYER;
}

function nodeProblem(rule: Rule, name: string): string | undefined {
  const allowed = rule.node ?? 'no child processes';
  if (allowed === 'none') return `${name}: this layer does not know the OS`;
  return allowed === 'no child processes' && name === 'node:child_process'
    ? 'node:child_process: only kernel/ and lab/ start processes'
    : undefined;
}

function problemOf(rules: Rules, path: string, name: string): string | undefined {
  const layer = layerOf(path);
  const rule = rules[layer];
  if (rule === undefined) return `${layer}/ is in no row of the layer table`;
  if (name.startsWith('node:')) return nodeProblem(rule, name);
  if (name.startsWith('.')) {
    const target = layerOf(posix.join(posix.dirname(path), name));
    if (target === '..') return `${name} is outside of src/`;
    if (target === layer || rule.layers.includes(target) || rule.layers.includes('*')) return undefined;
    return `${name}: ${layer} may not import ${target}`;
  }
  const files = rule.packages?.[name] ?? [];
  const within = path.slice(path.indexOf('/') + 1);
  return files.includes('*') || files.includes(within) ? undefined : `${name}: not a package for ${path}`;
}

/** Each import that the rules do not allow, as "path: why". */
export function violationsIn(rules: Rules, sources: readonly Source[]): readonly string[] {
  return sources.flatMap(({ path, text }) =>
    importsOf(text).flatMap((name) => {
      const problem = problemOf(rules, path, name);
      return problem === undefined ? [] : [`${path}: ${problem}`];
    }),
  );
}

/** A first circle of imports, as the paths along it, or undefined. */
export function cycleIn(sources: readonly Source[]): readonly string[] | undefined {
  const graph = new Map(
    sources.map(({ path, text }) => [
      path,
      importsOf(text)
        .filter((name) => name.startsWith('.'))
        .map((name) => posix.join(posix.dirname(path), name)),
    ]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** The rows of the first table under "## Layers" of a page: folder, and what it may import. */
export function layerTable(markdown: string): Readonly<Record<string, readonly string[]>> {
  const section = markdown.split(/^## /m).find((part) => part.startsWith('Layers\n')) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return Object.fromEntries(
    rows.map((row) => {
      const cells = row.split('|').slice(1, -1);
      const [folder = ''] = namesIn(cells[0] ?? '');
      const last = cells.at(-1) ?? '';
      return [folder, last.trim() === 'everything' ? ['*'] : namesIn(last)];
    }),
  );
}

function namesIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+?)\/?`/g)].map((match) => match[1] ?? '');
}
