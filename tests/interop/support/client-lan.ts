import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import { HostFrameSender } from '../../../src/kernel/frame-sender.ts';
import { readLink } from '../../../src/kernel/link-ioctl.ts';
import { NetNs } from '../../../src/kernel/netns.ts';
import { BRIDGE } from '../../../src/lab/home-lan.ts';
import { emitUdp4Frame } from '../../../src/wire/ip/udp4.ts';
import { startScripted, type ScriptedServer } from '../../plugins/support/scripted.ts';
import { Site } from '../../plugins/support/site.ts';
import { forceRenew } from '../../protocol/dhcp4/signed.ts';

/** Greater than the counter that came with the nonce (RFC 3118 2). */
const LATER = 2;

/** A home whose router does to each client what the client's host name says. */
export class ClientLan implements AsyncDisposable {
  readonly site: Site;
  readonly scripted: ScriptedServer;
  #macs = 0;
  #names = 0;

  private constructor(site: Site, scripted: ScriptedServer) {
    this.site = site;
    this.scripted = scripted;
  }

  static async open(): Promise<ClientLan> {
    const site = await Site.open({ server: { kind: 'none' } });
    try {
      return new ClientLan(site, await startScripted(site));
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  newMac(): Mac {
    this.#macs += 1;
    return mac(`02:5e:00:20:00:${this.#macs.toString(16).padStart(2, '0')}`);
  }

  /** Of a machine: the name of its cable's end has to be short. */
  newName(client: string): string {
    this.#names += 1;
    return `${client}${this.#names}`;
  }

  /** FORCERENEW of the server (RFC 3203): authenticated by a nonce (RFC 6704), or by nothing, as RFC 3203 6 forbids. */
  async forceRenew(client: Mac, address: Ipv4, xid: number, nonce?: Uint8Array): Promise<void> {
    const { router, routerAddress } = this.site.lan;
    using netns = NetNs.open(router.path);
    await using sender = netns.run(() => new HostFrameSender());
    const link = readLink(BRIDGE, netns);
    if (link?.mac === undefined) throw new Error('the router has no bridge');
    const server = ipv4(routerAddress.address);
    const payload = forceRenew({
      chaddr: client,
      server,
      key: nonce,
      replay: LATER,
      fields: { xid, ciaddr: address },
    });
    const ways = { srcMac: link.mac, dstMac: client, src: routerAddress.address, dst: address };
    const failed = sender.send(link.index, emitUdp4Frame({ ...ways, srcPort: 67, dstPort: 68, payload }));
    if (failed !== undefined) throw failed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
  }
}
