import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';

/** A link of the node, as far as an uplink is judged by it. */
export interface UplinkState {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
}

/** What uplink detection needs of a namespace: the node's, or the pod's with `linkInContainer`. */
export interface UplinkSource {
  link(name: string): Promise<UplinkState | undefined>;
  linkByIndex(index: number): Promise<UplinkState | undefined>;
  defaultRoutes(): Promise<readonly DefaultRoute[]>;
}

export interface DefaultRoute {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly index?: number | undefined;
  readonly metric?: number | undefined;
}
