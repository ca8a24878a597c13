import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type Json, type JsonObject } from '../../../src/base/json.ts';
import { ROOT } from '../../support/leasehold.ts';

export const DEPLOY = join(ROOT, 'deploy');

/** Each with the file that is rendered for it. */
export const MANIFESTS: Readonly<Record<string, string>> = {
  kubeadm: 'install.yaml',
  k3s: 'install-k3s.yaml',
  rke2: 'install-rke2.yaml',
  microk8s: 'install-microk8s.yaml',
  k0s: 'install-k0s.yaml',
  talos: 'install-talos.yaml',
};

export function manifestText(profile: string): string {
  return readFileSync(join(DEPLOY, MANIFESTS[profile] ?? ''), 'utf8');
}

/** The objects of a text of several YAML documents; throws where one is no YAML. */
export function objectsIn(yaml: string): readonly JsonObject[] {
  return parseAllDocuments(yaml).flatMap((document): readonly JsonObject[] => {
    if (!('toJSON' in document)) return [];
    if (document.errors[0] !== undefined) throw document.errors[0];
    const json = document.toJSON() as Json;
    return isJsonObject(json) ? [json] : [];
  });
}

/** "Role kube-system/leasehold". */
export function nameOf(whole: JsonObject): string {
  const { name, namespace } = object(at(whole, 'metadata'));
  const where = namespace === undefined ? '' : `${text(namespace)}/`;
  return `${text(whole['kind'])} ${where}${text(name)}`;
}

export function named(objects: readonly JsonObject[], name: string): JsonObject {
  const found = objects.find((whole) => nameOf(whole) === name);
  if (found === undefined) throw new Error(`no ${name} in ${objects.map(nameOf).join(', ')}`);
  return found;
}

/** What is at a path: `at(daemonSet, 'spec', 'template')`; undefined where nothing is. */
export function at(value: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  let here = value;
  for (const key of path) {
    if (typeof key === 'number') here = Array.isArray(here) ? (here[key] as Json | undefined) : undefined;
    else here = isJsonObject(here) ? here[key] : undefined;
  }
  return here;
}

/** A text, or a number as text; throws where it is neither. */
export function text(value: Json | undefined): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new Error(`no text: ${JSON.stringify(value)}`);
}

export function object(value: Json | undefined): JsonObject {
  if (isJsonObject(value)) return value;
  throw new Error(`no object: ${JSON.stringify(value)}`);
}

export function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

/** What roles grant: "get configmaps. kube-system kubeadm-config". */
export function grantsOf(objects: readonly JsonObject[]): readonly string[] {
  const roles = objects.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
  return roles
    .flatMap((role) => list(role['rules']).flatMap((rule) => grantsOfRule(role, object(rule))))
    .toSorted();
}

function grantsOfRule(role: JsonObject, rule: JsonObject): readonly string[] {
  const namespace = at(role, 'metadata', 'namespace');
  const where = [...(namespace === undefined ? [] : [namespace]), ...list(rule['resourceNames'])].map(text);
  const groups = list(rule['apiGroups']).map(text).join(',');
  return list(rule['verbs']).flatMap((verb) =>
    list(rule['resources']).map((resource) =>
      [text(verb), `${text(resource)}.${groups}`, ...where].join(' '),
    ),
  );
}
