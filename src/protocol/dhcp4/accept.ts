import type { Cidr } from '../../base/cidr.ts';
import { IPV4_ANY, type Ipv4, isHostIpv4 } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Duration, Instant } from '../../base/time.ts';
import { DHCP_MESSAGE_TYPE } from '../../wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS, readOption } from '../../wire/dhcp4/options.ts';
import { refuseSource } from './allowed-source.ts';
import { isOurIdentifier } from './echoed-identifier.ts';
import { v6OnlyWait } from './ipv6-only.ts';
import { serverWords } from '../../wire/dhcp4/server-words.ts';
import { type Lease4, leaseFromAck } from './lease.ts';
import { nonceAfter, promisesNonce } from './nonce.ts';
import type { IgnoreReason } from './reasons.ts';
import type { Source } from './source.ts';
import type { Dhcp4Config } from './state.ts';
import { completed, statedIn } from './unmentioned.ts';

/** A message for us, by its type; what the state makes of it is decided by the state. */
export type Answer =
  | {
      readonly kind: 'offer';
      readonly address: Cidr<Ipv4>;
      readonly serverId: Ipv4;
      /** The ACK is to have a nonce for FORCERENEW in it. */
      readonly nonceOffered: boolean;
    }
  /** An OFFER with option 108, to a client that honours it; whatever address is in it is not for use (RFC 8925 3.2). */
  | { readonly kind: 'ipv6-only'; readonly wait: Duration; readonly serverId: Ipv4 }
  /** `v6Wait`: option 108 of a client that honours it. */
  | {
      readonly kind: 'ack';
      readonly lease: Lease4;
      readonly rapid: boolean;
      readonly source: Source | undefined;
      readonly v6Wait: Duration | undefined;
    }
  | { readonly kind: 'nak'; readonly serverId: Ipv4; readonly text: string | undefined };

/** What an ACK of a server that may speak gives to this client, whether it can be used or not. */
export type Granted = {
  readonly address: Ipv4;
  readonly serverId: Ipv4;
  /** Option 80 is in it: the server has committed the lease to a DISCOVER (RFC 4039 3). */
  readonly rapid: boolean;
  /** Where it came from. */
  readonly source: Source | undefined;
};

/**
 * Why a message is no answer; `server` is who sent it and `source` where it came from, where that is the reason.
 * `granted`: it is an ACK, and what it gives cannot be used.
 */
export type Refusal = {
  readonly reason: IgnoreReason;
  readonly server?: Ipv4;
  readonly source?: Source | undefined;
  readonly granted?: Granted;
};

/** What an ACK gives, as far as it can be given back. */
export function grantedBy({ lease, rapid, source }: Extract<Answer, { readonly kind: 'ack' }>): Granted {
  return { address: lease.address.address, serverId: lease.serverId, rapid, source };
}

/** The server that speaks. */
export function speakerOf(answer: Answer): Ipv4 {
  return answer.kind === 'ack' ? answer.lease.serverId : answer.serverId;
}

/** What was asked: an answer has to fit it. */
export type Question = {
  readonly xid: number;
  /** When it was sent. */
  readonly requestedAt: Instant;
  /** The lease in use, where there is one: an ACK extends it. */
  readonly lease: Lease4 | undefined;
  /** Only the server that gave the lease was asked, by unicast. */
  readonly isUnicast: boolean;
  /** Networks that no route and no address of the answer may lie in. */
  readonly protect: readonly Cidr<Ipv4>[];
};

/** Whether the message is meant for this transaction at all. */
function checkAddressee(config: Dhcp4Config, xid: number, message: Dhcp4Message): IgnoreReason | undefined {
  if (message.op !== 'reply') return 'not-a-reply';
  if (message.chaddr !== config.chaddr) return 'wrong-mac';
  // RFC 2131 4.4.1, 4.4.5: silently discarded.
  if (message.xid !== xid) return 'wrong-xid';
  const echoed = message.options.get(DHCP4_OPTIONS['dhcp-client-identifier'].code);
  return echoed === undefined || isOurIdentifier(config, echoed) ? undefined : 'wrong-client-id';
}

/**
 * An ACK that extends a lease grants ciaddr, which we stated, where yiaddr is empty: some servers answer a renewal so.
 * That is safe, for no address is taken that the client does not have already. A lease time has to be in it: without
 * one it is the form of an answer to an INFORM, which grants nothing (RFC 2131 4.3.5).
 */
function granted(message: Dhcp4Message, leased: Ipv4 | undefined): Dhcp4Message {
  const { yiaddr, ciaddr, options } = message;
  const extending =
    yiaddr === IPV4_ANY && ciaddr === leased && options.has(DHCP4_OPTIONS['dhcp-lease-time'].code);
  return extending ? { ...message, yiaddr: ciaddr } : message;
}

/**
 * RFC 2131 table 3: option 54 MUST be in OFFER, ACK and NAK. Only the ACK that extends a lease may lack it: the pod
 * should not lose the address that it uses over a sloppy server which gave it one before.
 */
function readServerId(
  config: Dhcp4Config,
  message: Dhcp4Message,
  fallback: Ipv4 | undefined,
): Result<Ipv4, Refusal> {
  const option = readOption(message.options, 'dhcp-server-identifier');
  if (option.kind === 'malformed') return err({ reason: 'malformed-server-id' });
  const server = option.kind === 'value' ? option.value : fallback;
  if (server === undefined) return err({ reason: 'no-server-id' });
  if (!isHostIpv4(server)) return err({ reason: 'malformed-server-id' });
  return config.servers.length === 0 || config.servers.includes(server)
    ? ok(server)
    : err({ reason: 'server-not-allowed', server });
}

type From = {
  readonly type: AnswerType;
  readonly serverId: Ipv4;
  readonly source: Source | undefined;
};

/** What the message of an allowed server says. */
function readAnswer(
  config: Dhcp4Config,
  { requestedAt, protect, lease: inUse }: Question,
  received: Dhcp4Message,
  { type, serverId, source }: From,
): Result<Answer, Refusal> {
  if (type === DHCP_MESSAGE_TYPE.DHCPNAK) {
    return ok({ kind: 'nak', serverId, text: serverWords(received) });
  }
  const wait = v6OnlyWait(config, received);
  const isOffer = type === DHCP_MESSAGE_TYPE.DHCPOFFER;
  // Before the address is looked at: such an OFFER may have none.
  if (isOffer && wait !== undefined) return ok({ kind: 'ipv6-only', wait, serverId });
  const { message, unread } =
    isOffer || inUse === undefined ? { message: received, unread: [] } : completed(received, serverId, inUse);
  // An offer is judged as the ACK would be: a lease that cannot be used is not worth a REQUEST.
  const lease = leaseFromAck(message, serverId, requestedAt, protect);
  const rapid = received.options.has(DHCP4_OPTIONS['rapid-commit'].code);
  if (!lease.ok) {
    const refusal: Refusal = { reason: lease.error };
    return err(
      isOffer ? refusal : { ...refusal, granted: { address: received.yiaddr, serverId, rapid, source } },
    );
  }
  if (isOffer) {
    const nonceOffered = promisesNonce(config, received);
    return ok({ kind: 'offer', address: lease.value.address, serverId, nonceOffered });
  }
  const { nonce, malformed: isUnreadable } = nonceAfter(config, received, lease.value, inUse);
  const malformed = [...lease.value.malformed, ...unread, ...(isUnreadable ? ['authenticate'] : [])];
  return ok({
    kind: 'ack',
    lease: {
      ...lease.value,
      malformed,
      stated: statedIn(message),
      ...(nonce === undefined ? {} : { nonce }),
    },
    rapid,
    source,
    v6Wait: wait,
  });
}

/** What servers answer with; the other types mean nothing to a client of this kind. */
const ANSWERS = [DHCP_MESSAGE_TYPE.DHCPOFFER, DHCP_MESSAGE_TYPE.DHCPACK, DHCP_MESSAGE_TYPE.DHCPNAK] as const;
type AnswerType = (typeof ANSWERS)[number];

/** What a parsed message says to this client, or why it is not taken. */
export function acceptMessage(
  config: Dhcp4Config,
  question: Question,
  message: Dhcp4Message,
  source: Source | undefined,
): Result<Answer, Refusal> {
  const notForUs = checkAddressee(config, question.xid, message);
  if (notForUs !== undefined) return err({ reason: notForUs });
  const option = readOption(message.options, 'dhcp-message-type');
  if (option.kind === 'absent') return err({ reason: 'no-message-type' });
  if (option.kind === 'malformed') return err({ reason: 'malformed-message-type' });
  const type = ANSWERS.find((known) => known === option.value);
  if (type === undefined) return err({ reason: 'unexpected-type' });

  const extended = type === DHCP_MESSAGE_TYPE.DHCPACK ? question.lease : undefined;
  const serverId = readServerId(config, message, extended?.serverId);
  if (!serverId.ok) return serverId;
  const foreign = refuseSource(config, source, question.isUnicast ? question.lease : undefined);
  if (foreign !== undefined) return err({ reason: foreign, server: serverId.value, source });
  const grant = granted(message, extended?.address.address);
  return readAnswer(config, question, grant, { type, serverId: serverId.value, source });
}
