import { by, deviates, met, metSo, must, mustNot, type Rfc, should, shouldNot } from '../clause.ts';

const MACHINE = 'protocol/dhcp4/ipv6-only.test.ts';
const PREFERRED = 'IPv6-only preferred (RFC 8925)';
const LEASE = 'lease/ipv6-only.test.ts';
const NETWORK = 'a network that prefers to be IPv6 only (RFC 8925)';
const CONF = 'cni/dhcp/dhcp-conf.test.ts';

const ASKED = by(
  MACHINE,
  PREFERRED,
  'it is asked for in every DISCOVER and REQUEST, also where the list is cut short',
);
const UNASKED = by(MACHINE, PREFERRED, 'who has not said that it can do without IPv4 does not look at it');
const OTHER_LENGTH = by(
  MACHINE,
  PREFERRED,
  'an option of another length is ignored, and an OFFER without one leads the usual way',
);
const SHORTEST = [
  by(MACHINE, PREFERRED, 'an OFFER with 0 s: no wait means the shortest'),
  by(MACHINE, PREFERRED, 'an OFFER with 10 s: a short one, too'),
] as const;
const USED_ON = by(
  MACHINE,
  PREFERRED,
  'REQUESTING, RENEWING, REBINDING, VERIFYING: the address of the ACK is used on',
);
const LIST = by(CONF, "request: names, codes and the Go plugin's form; ipv6Only adds 108");

export const RFC_8925: Rfc = {
  number: 8925,
  title: 'IPv6-Only Preferred Option for DHCPv4',
  scope:
    'A host that can do without IPv4 is here a network with `ipv6Only: true`; without it, a host that needs IPv4.',
  clauses: [
    must('3.1', 'ignores the option where its length is not 4', met(OTHER_LENGTH)),
    must(
      '3.1',
      'takes its value as 3.2 has it',
      deviates(
        'But for a wait of more than a day: see there.',
        ...SHORTEST,
        by(MACHINE, PREFERRED, 'an OFFER with 301 s: as it was given'),
        by(MACHINE, PREFERRED, 'an OFFER with 4294967295 s: for ever is a day'),
      ),
    ),
    mustNot(
      '3.1',
      'sends the option itself',
      met(
        by(
          'cni/dhcp/option-rules.test.ts',
          'what a client does not send (RFC 2131 table 5, and the RFC of the option)',
          '108 is refused in send and provide, by each of its names, as text and as hex',
        ),
      ),
    ),
    should(
      '3.2',
      'lets an administrator say for one interface, or for all, that it can do without IPv4',
      metSo(
        '`ipv6Only`, for a network or for the node.',
        by(CONF, "the daemon's defaults, and the network's keys over them"),
      ),
    ),
    mustNot(
      '3.2',
      'takes an interface for one that can do without IPv4 because another one can',
      met(
        by(CONF, "the daemon's defaults, and the network's keys over them"),
        by(LEASE, NETWORK, 'who did not ask for it is served as ever'),
      ),
    ),
    mustNot(
      '3.2',
      'has 108 in its parameter request list where the host needs IPv4',
      metSo(
        '`request` refuses it without `ipv6Only`.',
        LIST,
        by(CONF, 'what cannot be used is refused with its key; keys that nobody knows are not'),
      ),
    ),
    must(
      '3.2',
      'ignores the option where the host needs IPv4',
      met(UNASKED, by(LEASE, NETWORK, 'who did not ask for it is served as ever')),
    ),
    should(
      '3.2',
      'has 108 in the list of each DISCOVER and REQUEST where the host can do without IPv4',
      met(ASKED, LIST),
    ),
    must('3.2', 'ignores the option where the list of that message had no 108', met(UNASKED, ASKED)),
    shouldNot(
      '3.2',
      'asks for the address of an OFFER that has the option',
      met(...SHORTEST, by(LEASE, NETWORK, 'who asked gets no address, and the ADD has not failed')),
    ),
    should(
      '3.2',
      'waits for as long as the option says, where that is 300 s (MIN_V6ONLY_WAIT) or more',
      deviates(
        'A day at most: one forged OFFER could take IPv4 away for 136 years.',
        by(MACHINE, PREFERRED, 'an OFFER with 301 s: as it was given'),
        by(MACHINE, PREFERRED, 'an OFFER with 86400 s: a day'),
        by(MACHINE, PREFERRED, 'an OFFER with 4294967295 s: for ever is a day'),
      ),
    ),
    should('3.2', 'waits for 300 s where the option says less', met(...SHORTEST)),
    should(
      '3.2',
      'stops DHCPv4 until the wait is over or the network is attached anew',
      metSo(
        'A second after the link is up: it may flap.',
        by(LEASE, NETWORK, 'who asked gets no address, and the ADD has not failed'),
        by(
          LEASE,
          NETWORK,
          'after the wait it is asked again, and an address that comes then is applied to the running pod',
        ),
        by(MACHINE, PREFERRED, 'a network attachment ends the wait, a second later'),
        by(MACHINE, PREFERRED, 'messages, a conflict and a start mean nothing meanwhile'),
      ),
    ),
    should(
      '3.2',
      'has 108 in the list of a REQUEST after an OFFER without the option, of INIT-REBOOT, RENEWING and REBINDING',
      met(ASKED),
    ),
    should(
      '3.2',
      'stops DHCPv4 for the wait where the ACK to INIT-REBOOT has the option',
      deviates(
        'So it is for a pod that starts, and the lease is given back. A pod that runs, and is asked about in that form because its link ' +
          'was away, keeps its address: it was told of none but this one.',
        by(MACHINE, PREFERRED, 'INIT-REBOOT: the ACK is not used and given back'),
        USED_ON,
      ),
    ),
    should(
      '3.2',
      'goes on to use its address where an ACK in another state has the option',
      deviates(
        'Not the one of a rapid commit, which nobody uses yet: it is given back, as an OFFER would be left. A server should have sent an OFFER (3.3).',
        USED_ON,
        by(MACHINE, PREFERRED, 'rapid commit: the same'),
      ),
    ),
    must('3.2', 'goes on with a REQUEST after an OFFER without a good option', met(OTHER_LENGTH)),
    must(
      '3.2',
      'goes by the OFFER that it chose, where there are several',
      metSo(
        'It chooses the first one.',
        by(MACHINE, PREFERRED, 'an OFFER that comes second, and a NAK, do not count'),
      ),
    ),
    mustNot('3.4', 'waits for less than 300 s', met(...SHORTEST)),
  ],
};
