import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { run } from '../../../src/lab/process.ts';

/** Keys of an elliptic curve: those of RSA take seconds. */
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const DAYS = '2';

export type Identity = {
  /** Name of its files: NAME.crt, NAME.key. */
  readonly name: string;
  /** As "/O=system:nodes/CN=system:node:n1". */
  readonly subject: string;
  /** As "DNS:kubernetes,IP:10.43.0.1". */
  readonly subjectAltName?: string;
};

/** The certificates of a cluster, as kubeadm lays them out: one authority, who is who, and the key of service accounts. */
export class Pki {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the authority and all others. */
  async issue(identities: readonly Identity[]): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const own = ['-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=kubernetes', '-days', DAYS];
    await this.#openssl('req', '-x509', ...NEW_KEY, ...own);
    await Promise.all([this.#serviceAccountKey(), ...identities.map((identity) => this.#issue(identity))]);
  }

  /** Path of a file: "ca.crt". */
  path(file: string): string {
    return join(this.folder, file);
  }

  /** A kubeconfig that holds all it needs, written as kubeadm does it. */
  async kubeconfig(name: string, server: string): Promise<string> {
    const data = async (file: string): Promise<string> =>
      (await readFile(this.path(file))).toString('base64');
    const cluster = { server, 'certificate-authority-data': await data('ca.crt') };
    const user = {
      'client-certificate-data': await data(`${name}.crt`),
      'client-key-data': await data(`${name}.key`),
    };
    return stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'e2e',
      clusters: [{ name: 'e2e', cluster }],
      users: [{ name, user }],
      contexts: [{ name: 'e2e', context: { cluster: 'e2e', user: name } }],
    });
  }

  async #serviceAccountKey(): Promise<void> {
    await this.#openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'sa.key');
    await this.#openssl('ec', '-in', 'sa.key', '-pubout', '-out', 'sa.pub');
  }

  async #issue({ name, subject, subjectAltName }: Identity): Promise<void> {
    const usage = 'extendedKeyUsage=serverAuth,clientAuth\n';
    await writeFile(
      this.path(`${name}.ext`),
      subjectAltName === undefined ? usage : `${usage}subjectAltName=${subjectAltName}\n`,
    );
    const into = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
    await this.#openssl('req', ...NEW_KEY, ...into, '-subj', subject);
    const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', DAYS, '-extfile', `${name}.ext`];
    await this.#openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`);
  }

  async #openssl(...args: readonly string[]): Promise<void> {
    await run(['openssl', ...args], { cwd: this.folder });
  }
}
