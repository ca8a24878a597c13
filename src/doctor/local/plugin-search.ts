import type { NodeFacts } from './ports.ts';

export type PluginPlace =
  | { readonly kind: 'there'; readonly path: string }
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'dangling' | 'not-executable';
      readonly path: string;
      readonly target: string | undefined;
    };

/** Where a runtime would find a plugin: the first folder that has the name. */
export function findPlugin(facts: NodeFacts, folders: readonly string[], type: string): PluginPlace {
  // A path would lead out of the folder; no runtime runs it.
  if (type.includes('/') || type === '.' || type === '..') return { kind: 'missing' };
  for (const folder of folders) {
    const path = `${folder}/${type}`;
    const file = facts.look(path);
    if (file === undefined) continue;
    if (file.kind === 'link' && file.resolved === undefined) {
      return { kind: 'dangling', path, target: file.target };
    }
    return file.executable ? { kind: 'there', path } : { kind: 'not-executable', path, target: file.target };
  }
  return { kind: 'missing' };
}
