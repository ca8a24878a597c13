import {
  by,
  met,
  metSo,
  must,
  mustNot,
  should,
  shouldNot,
  type Clause,
  type Evidence,
  type Verdict,
} from '../clause.ts';
import { onTheWire, requesting, sent, THE_WHOLE, transactionId } from './dhcp4-tests.ts';

const LATER = 'vendor class (60), site-specific (224), all others: not in DECLINE and RELEASE';

function table5(level: typeof must, says: string, verdict: Verdict): Clause {
  return level('4.4.1 table 5', says, verdict);
}

/** Not by configuration either. */
function refusedByHand(code: number): Evidence {
  return by(
    'cni/dhcp/option-rules.test.ts',
    'what a client does not send (RFC 2131 table 5, and the RFC of the option)',
    `${code} is refused in send and provide, by each of its names, as text and as hex`,
  );
}

/** The rows of table 5, in their order. DHCPINFORM shares a column with DISCOVER, and is not sent. */
export const TABLE_5: readonly Clause[] = [
  table5(
    must,
    'op, htype, hlen, hops: BOOTREQUEST, those of its hardware, 0',
    met(sent('op, htype, hlen, hops: a BOOTREQUEST of an Ethernet')),
  ),
  table5(
    must,
    'xid: its own choice in DISCOVER, DECLINE and RELEASE, that of the OFFER in the REQUEST for it',
    met(
      transactionId('is another one for each search, renewal, DECLINE and RELEASE'),
      requesting('it keeps xid and secs of the DISCOVER (RFC 2131 3.1, 4.4.1), however long it takes'),
    ),
  ),
  table5(must, 'secs: 0 in DECLINE and RELEASE', met(sent('secs: 0 in DECLINE and RELEASE'))),
  table5(
    must,
    'flags: BROADCAST where it is needed, 0 in DECLINE and RELEASE',
    met(sent('flags: BROADCAST or nothing, and nothing in DECLINE and RELEASE')),
  ),
  table5(
    must,
    'ciaddr: its address in RENEWING, REBINDING and RELEASE, 0 in DISCOVER and DECLINE',
    met(sent('ciaddr: the leased address in RENEWING, REBINDING and RELEASE, else 0')),
  ),
  table5(
    must,
    'yiaddr, siaddr, giaddr: 0; chaddr: its own; sname, file: unused',
    met(sent('yiaddr, siaddr, giaddr: 0; chaddr: of the client; sname, file: unused')),
  ),
  table5(
    must,
    'requested address (50): in the REQUEST of SELECTING and INIT-REBOOT, and in DECLINE',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE')),
  ),
  table5(
    mustNot,
    'requested address (50): in the REQUEST of RENEWING, and in RELEASE',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE'), refusedByHand(50)),
  ),
  table5(
    mustNot,
    'lease time (51): in DECLINE and RELEASE',
    met(sent('lease time (51): not in DECLINE and RELEASE')),
  ),
  table5(must, 'message type (53): in each', met(sent('message type (53): in each'))),
  table5(mustNot, 'vendor class identifier (60): in DECLINE and RELEASE', met(sent(LATER))),
  table5(
    must,
    'server identifier (54): in the REQUEST of SELECTING, in DECLINE and RELEASE',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE')),
  ),
  table5(
    mustNot,
    'server identifier (54): in DISCOVER and the other REQUESTs',
    met(sent('server identifier (54): in SELECTING, DECLINE and RELEASE'), refusedByHand(54)),
  ),
  table5(
    mustNot,
    'parameter request list (55) and maximum message size (57): in DECLINE and RELEASE',
    met(sent('parameter request list (55) and maximum message size (57): not in DECLINE and RELEASE')),
  ),
  table5(
    shouldNot,
    'message (56): in DISCOVER and REQUEST',
    met(sent('message (56): in DECLINE and RELEASE'), refusedByHand(56)),
  ),
  table5(
    should,
    'message (56): in DECLINE and RELEASE',
    metSo(
      'but for anonymous clients (RFC 7844)',
      sent('message (56): in DECLINE and RELEASE'),
      onTheWire(THE_WHOLE),
    ),
  ),
  table5(mustNot, 'site-specific options, and all others: in DECLINE and RELEASE', met(sent(LATER))),
];
