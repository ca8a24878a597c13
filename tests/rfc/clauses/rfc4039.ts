import { by, deviates, doesNotApply, met, metSo, must, mustNot, type Rfc, should } from '../clause.ts';

const FIELDS = 'protocol/dhcp4/fields.test.ts';
const ACQUIRE = 'protocol/dhcp4/acquire.test.ts';
const EXTRAS = 'protocol/dhcp4/extras.test.ts';
const CONFLICT = 'lease/conflict.test.ts';
const TABLES = 'fields and options by state (RFC 2131 tables 4 and 5)';

const IN_DISCOVER = by(FIELDS, TABLES, 'DISCOVER');
const SELECTING = by(FIELDS, TABLES, 'REQUEST after SELECTING: 50 and 54');
const DECLINED = by(
  CONFLICT,
  'conflict detection',
  'before: the ADD waits, declines, and gives another address after ten seconds',
);

export const RFC_4039: Rfc = {
  number: 4039,
  title: 'Rapid Commit Option for DHCPv4',
  clauses: [
    mustNot(
      '3',
      'sends option 80 in any other message than DISCOVER',
      met(
        SELECTING,
        by(FIELDS, TABLES, 'REQUEST of INIT-REBOOT: 50 and no 54'),
        by(FIELDS, TABLES, 'REQUEST of RENEWING and REBINDING: neither, ciaddr instead'),
        by(FIELDS, TABLES, 'RELEASE: 54 and ciaddr, nothing that asks for something'),
        by(FIELDS, TABLES, 'DECLINE: 50 and 54, ciaddr 0'),
        by(ACQUIRE, 'rapid commit', 'an OFFER in spite of it leads the usual way'),
      ),
    ),
    must(
      '3',
      'uses the option only where it is configured to',
      metSo(
        'It is by default; `rapidCommit` says otherwise.',
        by(ACQUIRE, 'rapid commit', 'who did not ask for it takes none'),
        by('cni/dhcp/dhcp-conf.test.ts', "the daemon's defaults, and the network's keys over them"),
      ),
    ),
    should(
      '3',
      'takes an ACK with option 80 at once, without waiting for others, and uses what is in it',
      met(by(ACQUIRE, 'rapid commit', 'an ACK at once is taken when it was asked for and is so marked')),
    ),
    mustNot(
      '3',
      'has 80 in its parameter request list',
      met(by('cni/dhcp/option-rules.test.ts', '80 MUST NOT be asked for (RFC 4039 3), by whatever name')),
    ),
    must('3.1', 'names the chosen server (option 54) in the REQUEST after an OFFER', met(SELECTING)),
    must('3.1', 'asks in that REQUEST for the address of the OFFER (option 50)', met(SELECTING)),
    must(
      '3.1',
      'has in that REQUEST the `secs` of the DISCOVER, and sends it to the same broadcast address',
      met(
        by(
          ACQUIRE,
          'REQUESTING',
          'it keeps xid and secs of the DISCOVER (RFC 2131 3.1, 4.4.1), however long it takes',
        ),
        by(
          'plugins/dhcp-options.test.ts',
          'every key of the ipam section, as the server sees it',
          'the whole exchange: DISCOVER, REQUEST, and a RELEASE by unicast from the address',
        ),
      ),
    ),
    should(
      '3.1',
      'checks the parameters of the ACK, as by ARP for the address',
      deviates(
        'By default while the address is in use already, for a container waits for the ADD; before that with `conflictCheck: before`; ' +
          'not at all with `off`.',
        by(
          CONFLICT,
          'conflict detection',
          'background: the ADD answers at once, then the address is changed in the running pod',
        ),
        DECLINED,
        by(CONFLICT, 'conflict detection', 'off: the pod gets the address that somebody uses'),
      ),
    ),
    must(
      '3.1',
      'sends a DECLINE where it finds that the address is in use',
      deviates(
        'Not where another pod of this node has the address under the very same identity: the server gave it to that one rightly.',
        DECLINED,
        by(
          'protocol/dhcp4/turn-down.test.ts',
          'an ACK that must not be taken',
          'in REBOOTING, and with rapid commit',
        ),
        by(
          'protocol/dhcp4/turn-down.test.ts',
          'an OFFER that must not be taken',
          'that belongs to the same client is never declined: the server gave it rightly',
        ),
      ),
    ),
    should(
      '3.1',
      'waits ten seconds after a DECLINE before it begins again',
      met(
        by(
          'protocol/dhcp4/refuse.test.ts',
          'a conflict',
          'DECLINE by broadcast, ten seconds of silence, then from the beginning',
        ),
      ),
    ),
    should(
      '3.1',
      'sends a REQUEST again as RFC 2131 4.1 has it: often enough, and not for too long',
      met(by(ACQUIRE, 'REQUESTING', 'REQUEST goes out six times, then an address is sought anew')),
    ),
    should(
      '3.1',
      'tells its user that no answer came to the REQUESTs, and that it begins again',
      metSo(
        'By its log; an ADD that fails in the end says so as well.',
        by(
          'lease/server-notes.test.ts',
          'servers',
          'one that offers and never confirms is named when its offer is given up, once in a while',
        ),
      ),
    ),
    must(
      '3.1',
      'has the client identifier of the lease in its RELEASE',
      met(
        by(
          'plugins/dhcp-options.test.ts',
          'every key of the ipam section, as the server sees it',
          'client-id: containerID/network/ifname behind a zero byte, in all messages',
        ),
        by(
          EXTRAS,
          'a server that is silent to a message with one extra',
          'renewals, a RELEASE and a DECLINE lack what the REQUEST lacked',
        ),
      ),
    ),
    must(
      '3.2',
      'is switched on by administrators only where one server is there, or each has addresses enough',
      doesNotApply(
        'It binds those who set up servers. What a server commits and nobody takes runs out there.',
      ),
    ),
    must(
      '4',
      'has option 80 in each DISCOVER whose answer may be an ACK',
      metSo(
        'In the first one, unless an address is asked for; from the second try on it is prepared for an OFFER. An ACK that it cannot take is given back.',
        IN_DISCOVER,
        by(
          EXTRAS,
          'an ACK to a DISCOVER without option 80 in it (RFC 4039 3)',
          'it is not taken, and the DISCOVER without option 80 goes out at once',
        ),
        by(
          ACQUIRE,
          'the only address that will do',
          'rapid commit is not offered beside it, in no DISCOVER, and an ACK to one is nothing',
        ),
        by(
          'protocol/dhcp4/give-back.test.ts',
          'an ACK to a DISCOVER (rapid commit, RFC 4039) that is not accepted',
          'the RELEASE is of the address, to the server, where the ACK came from, under the same identity',
        ),
      ),
    ),
  ],
};
