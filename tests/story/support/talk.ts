import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stopProcess, waitUntilReady, type LongProcess } from '../../../src/lab/long-process.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import type { Resources } from '../../../src/lab/resources.ts';
import { waitFor } from '../../../src/lab/wait.ts';

/** Long enough for a SYN that was lost: the second leaves after one second. */
const PATIENCE_SECONDS = 2.5;
/** For where nobody is to answer: an answer comes within milliseconds, or it does not come. */
const SHORT_PATIENCE_SECONDS = 0.7;
const KILL_AFTER_MS = 6000;
const KNOCKS_LIMIT_MS = 120_000;

/** Where servers and streams keep their logs, and who ends them. */
export type Backstage = { readonly folder: string; readonly resources: Resources };

let started = 0;

async function startScript(
  place: Namespace,
  script: string,
  args: readonly string[],
  { folder, resources }: Backstage,
): Promise<LongProcess> {
  started += 1;
  const options = { name: `${script} ${args.join(' ')}`, logFile: join(folder, `${script}-${started}.log`) };
  const command = [process.execPath, join(import.meta.dirname, script), ...args];
  return await place.start(command, options, resources);
}

/** A server for `ask` and `stream` in a namespace, TCP and UDP on one port. It says that name. */
export async function serve(
  place: Namespace,
  name: string,
  port: number,
  backstage: Backstage,
): Promise<LongProcess> {
  const server = await startScript(place, 'answerer.ts', [name, String(port)], backstage);
  await waitUntilReady(server, async () => (await readFile(server.logFile, 'utf8')).includes('ready'));
  return server;
}

export type Asked = { readonly to: string; readonly port: number; readonly by?: 'tcp' | 'udp' };

/** `NAME ADDRESS`: who answered, and from which address it was asked. Undefined when nobody did. */
export async function ask(from: Namespace, asked: Asked): Promise<string | undefined> {
  return await askFor(PATIENCE_SECONDS, from, asked);
}

/** The same where nobody is expected to answer: it does not wait as long. */
export async function askInVain(from: Namespace, asked: Asked): Promise<string | undefined> {
  return await askFor(SHORT_PATIENCE_SECONDS, from, asked);
}

async function askFor(
  seconds: number,
  from: Namespace,
  { to, port, by = 'tcp' }: Asked,
): Promise<string | undefined> {
  // bash opens the socket, and head waits for one line: ncat costs ten times as much, and for UDP it waits for more.
  // --norc: a bash whose stdin is a socket, as that of a child of Node is, takes itself for one of rshd and reads ~/.bashrc.
  const script = 'exec 3<>"/dev/$1/$2/$3"; echo who >&3; exec head -n 1 <&3';
  const command = ['timeout', `${seconds}s`, 'bash', '--norc', '-c', script, 'ask', by, to, String(port)];
  const outcome = await from.runToEnd(command, { timeoutMs: KILL_AFTER_MS });
  const said = outcome.stdout.trim();
  return outcome.status === 0 && said !== '' ? said : undefined;
}

export type Knocked = {
  /** How often what was heard: `answered`, the error's code (ECONNREFUSED ...), or `nothing` in eight seconds. */
  readonly heard: Readonly<Record<string, number>>;
  /** TCP segments sent again meanwhile: none where each attempt was answered at once. */
  readonly resent: number;
};

/** Asks so many times, one after another. */
export async function knock(
  from: Namespace,
  { to, port, by = 'tcp' }: Asked,
  times: number,
): Promise<Knocked> {
  const script = join(import.meta.dirname, 'knocker.ts');
  const output = await from.run([process.execPath, script, by, to, String(port), String(times)], {
    timeoutMs: KNOCKS_LIMIT_MS,
  });
  return JSON.parse(output) as Knocked;
}

export type StreamState = {
  readonly sent: number;
  readonly echoed: number;
  /** Between two echoes, or since the last one. */
  readonly longestGapMs: number;
  /** Why it broke, if it did. */
  readonly lost?: string;
};

/** One connection on which a line goes out every 10 ms and comes back. */
export class Stream {
  readonly #process: LongProcess;

  private constructor(process: LongProcess) {
    this.#process = process;
  }

  /** Gives it when the first lines have come back. */
  static async open(from: Namespace, { to, port }: Omit<Asked, 'by'>, backstage: Backstage): Promise<Stream> {
    const stream = new Stream(await startScript(from, 'streamer.ts', [to, String(port)], backstage));
    try {
      await stream.flows();
    } catch (error) {
      await stream.end();
      throw error;
    }
    return stream;
  }

  async state(): Promise<StreamState> {
    const lines = (await readFile(this.#process.logFile, 'utf8')).split('\n');
    const whole = lines.at(-2);
    if (whole === undefined) return { sent: 0, echoed: 0, longestGapMs: 0 };
    return JSON.parse(whole) as StreamState;
  }

  /** Waits until more lines have come back than were sent up to now: whatever was held up is through. */
  async flows(): Promise<StreamState> {
    const { sent } = await this.state();
    return await waitFor(
      'the stream to flow',
      async () => {
        const state = await this.state();
        return state.lost === undefined ? state.echoed > sent && state : state;
      },
      { describe: async () => JSON.stringify(await this.state()) },
    );
  }

  /** Ends it and says how it was. */
  async end(): Promise<StreamState> {
    await stopProcess(this.#process);
    return await this.state();
  }
}

/** Sends datagrams to some addresses all the time, whether anybody answers or not. */
export class Sender {
  readonly #process: LongProcess;

  private constructor(process: LongProcess) {
    this.#process = process;
  }

  static async start(
    from: Namespace,
    targets: readonly Omit<Asked, 'by'>[],
    backstage: Backstage,
  ): Promise<Sender> {
    const args = targets.map(({ to, port }) => `${to}:${port}`);
    return new Sender(await startScript(from, 'sender.ts', args, backstage));
  }

  async #rounds(): Promise<number> {
    return Number((await readFile(this.#process.logFile, 'utf8')).split('\n').at(-2) ?? 0);
  }

  /** Waits until so many more were sent to each. */
  async sends(more: number): Promise<void> {
    const before = await this.#rounds();
    await waitFor('datagrams to be sent', async () => (await this.#rounds()) >= before + more, {
      describe: async () => await readFile(this.#process.logFile, 'utf8'),
    });
  }

  async stop(): Promise<void> {
    await stopProcess(this.#process);
  }
}
