import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';

/** One run of a scripted plugin: its CNI_ variables and what it read. */
export type Call = {
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: JsonObject;
};

export type FakePlugins = {
  readonly binDir: string;
  /** A plugin that records each call and answers `answers[command]`, by default nothing, with exit status 0. */
  readonly add: (name: string, answers?: Readonly<Record<string, FakeAnswer>>) => Promise<void>;
  /** All calls so far, in order. */
  readonly calls: () => Promise<readonly Call[]>;
};

export type FakeAnswer = { readonly stdout?: string; readonly stderr?: string; readonly status?: number };

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function caseOf(command: string, answer: FakeAnswer): string {
  const out = `printf '%s' ${quote(answer.stdout ?? '')}; printf '%s' ${quote(answer.stderr ?? '')} >&2`;
  return `${command}) ${out}; exit ${answer.status ?? 0} ;;`;
}

/** A folder of CNI plugins that are shell scripts: they touch nothing but their own record. */
export async function fakePlugins(t: TestContext): Promise<FakePlugins> {
  const binDir = await mkdtemp(join(tmpdir(), `lh${process.pid}-fake-`));
  t.after(async () => await rm(binDir, { recursive: true, force: true }));
  const record = join(binDir, 'record');
  await writeFile(record, '');
  return {
    binDir,
    add: async (name, answers = {}) => {
      const cases = Object.entries(answers).map(([command, answer]) => caseOf(command, answer));
      const script = [
        '#!/bin/sh',
        `{ printf '%s\\037' ${name}; env | grep '^CNI_' | tr '\\n' '\\037'; printf '\\036'; cat; printf '\\035'; } >>${record}`,
        `case $CNI_COMMAND in ${cases.join(' ')} esac`,
      ];
      await writeFile(join(binDir, name), `${script.join('\n')}\n`, { mode: 0o755 });
    },
    calls: async () => {
      const text = await readFile(record, 'utf8');
      return text.split('\u001D').slice(0, -1).map(parseCall);
    },
  };
}

function parseCall(text: string): Call {
  const [head = '', stdin = ''] = text.split('\u001E');
  const [plugin = '', ...variables] = head.split('\u001F').filter((part) => part !== '');
  const env = variables.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  return { plugin, env: Object.fromEntries(env), stdin: JSON.parse(stdin) };
}
