import { formatCidr, type Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { JsonObject } from '../../base/json.ts';
import { LIST_VERSIONS } from '../../cni/spec/versions.ts';
import type { Finding } from '../finding.ts';
import type { LocalView } from '../local/check.ts';
import { linkNamed } from '../local/uplink.ts';
import { type FoundServiceNetwork, isGuess } from '../../node/services/found.ts';
import { unknownServiceNetwork } from '../local/service-networks.ts';
import { checkConflist } from './check.ts';
import { conflistNode } from './node.ts';

const NETWORK_NAME = 'lan';

export type ConflistWish = {
  readonly master: string | undefined;
  /** Empty: those that are found. */
  readonly services: readonly Cidr<Ipv4>[];
};

export type GeneratedConflist = {
  readonly conflist: JsonObject;
  /** What was found and what follows from it, one fact a line. */
  readonly remarks: readonly string[];
  readonly findings: readonly Finding[];
};

/** The shortest network configuration that is right on this node: a key stands there only where the default is not. */
export function generateConflist(view: LocalView, wish: ConflistWish): GeneratedConflist {
  const stated = wish.services.map((network): FoundServiceNetwork => ({ network, source: '--service-cidr' }));
  const services = stated.length > 0 ? stated : view.services;
  // A guess is the daemon's, which may learn better: it does not go into a file.
  const written = services.filter((one) => !isGuess(one));
  const conflist = {
    ...LIST_VERSIONS,
    name: NETWORK_NAME,
    plugins: [
      {
        type: 'leasehold',
        ...(wish.master === undefined ? {} : { master: wish.master }),
        ...(written.length === 0 ? {} : { services: written.map(({ network }) => formatCidr(network)) }),
      },
    ],
  };
  const uplink = wish.master === undefined ? view.uplink : linkNamed(view.links, wish.master);
  const node = conflistNode({ ...view, uplink, services });
  const report = checkConflist(JSON.stringify(conflist), node);
  return {
    conflist,
    remarks: [uplinkRemark(view, wish.master, uplink), ...serviceRemarks(services), placeRemark(view)],
    // Before "leasehold install" there is no program yet.
    findings: [
      ...(services.length === 0 ? unknownServiceNetwork(view.search) : []),
      ...report.findings,
      ...report.plugins.flatMap(({ findings }) => findings),
    ].filter(({ id }) => id !== 'plugin-missing'),
  };
}

function uplinkRemark(view: LocalView, master: string | undefined, uplink: LocalView['uplink']): string {
  if (uplink === undefined) {
    return master === undefined
      ? 'no interface has a default route now: the daemon waits for one; name it with --master otherwise'
      : `${master} does not exist on this node now`;
  }
  const route = view.routes.find(({ dst, index }) => dst.prefix === 0 && index === uplink.index);
  const by = route?.gateway === undefined ? '' : `, default route by ${route.gateway}`;
  const kind = uplink.wireless ? 'Wi-Fi adapter' : (uplink.kind ?? 'network adapter');
  return master === undefined
    ? `uplink ${uplink.name} (${kind}${by}): found by the default route, so "master" is not needed`
    : `uplink ${uplink.name} (${kind}${by}): by --master`;
}

function serviceRemarks(services: readonly FoundServiceNetwork[]): readonly string[] {
  if (services.length === 0) {
    return [
      'no service network was found on this node: the daemon goes on looking ("services": "auto"); in a cluster state it with --service-cidr',
    ];
  }
  return services.map((one) => {
    const { network, source } = one;
    const guess = isGuess(one) ? ' (a guess, not written down: state it with --service-cidr)' : '';
    return `service network ${formatCidr(network)}: ${source}${guess}`;
  });
}

function placeRemark({ places }: LocalView): string {
  return `goes to ${places.cniConf}/05-leasehold.conflist; the first name in the alphabet wins`;
}
