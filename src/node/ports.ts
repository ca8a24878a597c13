import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import type { Mac } from '../base/mac.ts';

/** A link of the node, as far as an uplink is judged by it. */
export interface UplinkState {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
  /** IFLA_IFALIAS, by which our shims are known; absent where it was not asked for, as in `link`. */
  readonly alias?: string | undefined;
  /** Names that it has besides; absent likewise. */
  readonly altNames?: readonly string[] | undefined;
  /** Of a macvlan: the device below it; absent likewise. */
  readonly masterIndex?: number | undefined;
}

/** One of all links, with what tells whether it can be an uplink. */
export interface LinkSeen extends UplinkState {
  readonly mac?: Mac | undefined;
  /** "macvlan", "veth", "bridge" ...; absent for physical devices. */
  readonly kind?: string | undefined;
  /** IFLA_MASTER: the bridge or bond that it is a port of. */
  readonly controllerIndex?: number | undefined;
}

/** What uplink detection needs of a namespace: the node's, or the pod's with `linkInContainer`. */
export interface UplinkSource {
  /** By its name or by an alternative one (`ip link property`); the answer has its name. */
  link(name: string): Promise<UplinkState | undefined>;
  linkByIndex(index: number): Promise<LinkSeen | undefined>;
  links(): Promise<readonly LinkSeen[]>;
  defaultRoutes(): Promise<readonly DefaultRoute[]>;
}

export interface DefaultRoute {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly index?: number | undefined;
  readonly metric?: number | undefined;
}
