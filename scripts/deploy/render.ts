import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const NAMESPACE = 'kube-system';
/** The one that has no suffix: deploy/install.yaml. */
const USUAL = 'kubeadm';

/** The helm to use: $HELM, the one that scripts/e2e-programs.sh has built, or that of the path. */
export function helmProgram(): string {
  const { HELM, LEASEHOLD_E2E_CACHE, XDG_CACHE_HOME } = process.env;
  const cache = LEASEHOLD_E2E_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'leasehold-e2e');
  const built = join(cache, 'bin/helm');
  return HELM ?? (existsSync(built) ? built : 'helm');
}

/** `helm template` with these further arguments; throws an Error with what helm says. */
export function helmTemplate(helm: string, deploy: string, args: readonly string[]): string {
  return execFileSync(
    helm,
    ['template', 'leasehold', join(deploy, 'chart/leasehold'), '--namespace', NAMESPACE, ...args],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 4 << 20 },
  );
}

/** What `kubectl apply -f` gets for a profile of `deploy/profiles/`, and the file that it is in. */
export function renderManifest(
  helm: string,
  deploy: string,
  profile: string,
): { readonly path: string; readonly text: string } {
  const rendered = helmTemplate(helm, deploy, ['--values', join(deploy, 'profiles', `${profile}.yaml`)]);
  return {
    path: join(deploy, profile === USUAL ? 'install.yaml' : `install-${profile}.yaml`),
    text: `${headOf(profile)}${rendered}`,
  };
}

function headOf(profile: string): string {
  return [
    `# Leasehold for ${profile}: kubectl apply -f FILE. docs/kubernetes.md has the rest.`,
    `# Rendered from deploy/chart/leasehold with deploy/profiles/${profile}.yaml by \`make deploy\`: change it there.`,
    '',
  ].join('\n');
}
