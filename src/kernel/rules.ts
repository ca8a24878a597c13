import {
  addRuleRequest,
  decodeRule,
  deleteRuleRequest,
  listRulesRequest,
  type NewRule,
  type OldRule,
  RTM_NEWRULE,
  type Rule,
} from '../wire/netlink/rule.ts';
import { decodeInSlices } from './netlink-decode.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** Which routing table is asked for whom, in the socket's namespace. Everything rejects with SysError. */
export class Rules {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** EEXIST when there is the very same rule. */
  async add(rule: NewRule): Promise<void> {
    await this.#socket.request(addRuleRequest(rule));
  }

  /** The first that has all that is given. ENOENT when there is none. */
  async delete(rule: OldRule): Promise<void> {
    await this.#socket.request(deleteRuleRequest(rule));
  }

  /** In the order in which they are asked. */
  async list(family: 4 | 6): Promise<readonly Rule[]> {
    const request = listRulesRequest(family);
    return decodeInSlices(request.op, await this.#socket.dump(request), RTM_NEWRULE, decodeRule);
  }
}
