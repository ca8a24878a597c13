import { mac } from '../../../src/base/mac.ts';
import { BRIDGE } from '../../../src/lab/home-lan.ts';
import { capture, type Capture } from '../../faults/support/capture.ts';
import { Site } from '../../plugins/support/site.ts';
import type { InteropServer, RunningServer } from './real-servers.ts';
import { WireClient } from './wire-client.ts';

/** A bridge takes the lowest one of its ports, and with a new port perhaps another one: Kea goes on with the old one. */
const ROUTER_MAC = mac('02:5e:00:53:00:fe');

/** A home with one server, a node with the daemon, and a machine that speaks in the name of others. */
export class ServerLan implements AsyncDisposable {
  readonly site: Site;
  readonly server: RunningServer;
  /** What passes at the router. */
  readonly wire: Capture;
  readonly client: WireClient;

  private constructor(parts: {
    readonly site: Site;
    readonly server: RunningServer;
    readonly wire: Capture;
    readonly client: WireClient;
  }) {
    this.site = parts.site;
    this.server = parts.server;
    this.wire = parts.wire;
    this.client = parts.client;
  }

  static async open({ start }: InteropServer): Promise<ServerLan> {
    const site = await Site.open({ server: { kind: 'none' } });
    const { lan } = site;
    let server: RunningServer | undefined;
    try {
      await lan.router.ip('link', 'set', BRIDGE, 'address', ROUTER_MAC);
      // Else some servers would not hear a client that has an address of another network (RFC 3704 2.2).
      for (const name of ['all', BRIDGE]) {
        await lan.router.run(['sh', '-c', `echo 0 >/proc/sys/net/ipv4/conf/${name}/rp_filter`]);
      }
      const stranger = await lan.addHost('stranger', 'none');
      server = await start(lan);
      const wire = await capture(lan.router, BRIDGE, lan);
      return new ServerLan({ site, server, wire, client: new WireClient(stranger, wire) });
    } catch (error) {
      await server?.[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.site[Symbol.asyncDispose]();
  }
}
