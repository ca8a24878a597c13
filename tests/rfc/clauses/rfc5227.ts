import {
  by,
  deviates,
  doesNotApply,
  met,
  metSo,
  must,
  mustNot,
  type Rfc,
  should,
  shouldNot,
} from '../clause.ts';

const MACHINE = 'protocol/acd4/machine.test.ts';
const GUARD = 'lease/guard.test.ts';
const CONFLICT = 'lease/conflict.test.ts';
const DETECTION = 'conflict detection';

const PACKETS = by(
  MACHINE,
  'packets',
  'a probe has no sender address, an announcement the same twice (RFC 5227 1.1)',
);
const FRAME = by('wire/arp.test.ts', 'emitArpFrame', 'writes what a capture shows');
const TIMES = by(
  MACHINE,
  'in the background',
  'three probes with the times of RFC 5227, then two announcements two seconds apart (2.3)',
);
const EXTREMES = by(MACHINE, 'in the background', 'earliest and latest');
const QUICK = by(
  MACHINE,
  'before the address is used',
  'three probes, and free after 300 ms without an announcement: who puts it on makes it',
);
const BACKGROUND = by(
  CONFLICT,
  DETECTION,
  'background: the ADD answers at once, then the address is changed in the running pod',
);
const BEFORE = by(
  CONFLICT,
  DETECTION,
  'before: the ADD waits, declines, and gives another address after ten seconds',
);
const OFF = by(CONFLICT, DETECTION, 'off: the pod gets the address that somebody uses');
const DEFENDED = by(CONFLICT, DETECTION, 'in use: defended once, given up to who insists');
const ONCE = by(
  MACHINE,
  'while the address is in use',
  'the first who claims it is told that it is in use (RFC 5227 2.4 b)',
);
const INSISTS = by(MACHINE, 'while the address is in use', 'who claims it again within 10 s has it');
const AGAIN = by(MACHINE, 'while the address is in use', 'who claims it after 10 s is told again');
const ANSWERS = by(
  'kernel/arp-answers.test.ts',
  'a pod answers a probe and an ordinary question for its address, each by unicast (RFC 5227 2.5, 2.6)',
);

const NOT_BEFORE =
  '`conflictCheck: before`: 100 ms, for a container waits, and on a LAN who has an address answers within milliseconds.';
const AGAIN_FILE = 'lease/reconnected.test.ts';
const AGAIN_AFTER = 'the address is probed again after';
const ANNOUNCER = 'lease/announcer.test.ts';
const HAS_NOW = 'an address that a pod has now';
const CLAIMS = 'lease/claim-filters.test.ts';
const FAULTS = 'faults/conflicts.test.ts';

const SOON =
  'An ordinary question of who has it is heard from 0.1 s, at the latest 1 s, after the address is looked after: so often the uplink’s filter is told of addresses.';

export const RFC_5227: Rfc = {
  number: 5227,
  title: 'IPv4 Address Conflict Detection',
  scope:
    '`conflictCheck` has three values: `background` (the default), `before` and `off`. The addresses of this daemon’s pods and of its ' +
    'node are known without a packet; what is looked for is who else has one.',
  clauses: [
    must(
      '2.1',
      'probes for an address before it begins to use it',
      deviates(
        '`background`: the address is used at once, and probed for meanwhile, for a container would wait for 4 to 7 s. `before`: three ' +
          'probes in 300 ms first. `off`: not at all. An address that a running pod gets later is probed for before it is used in both of the former.',
        BACKGROUND,
        BEFORE,
        OFF,
        by(
          'lease/changed-address.test.ts',
          'another address for a running pod',
          'is looked for on the LAN, from the uplink too, then put there, and said',
        ),
      ),
    ),
    must(
      '2.1',
      'probes also when an interface comes up, a link or cable comes back, or the host wakes up',
      deviates(
        'It probes then, unless `off`, and goes on to use the address meanwhile: to take it away for seven seconds at each blink of a switch would break more than it saves.',
        by(
          AGAIN_FILE,
          AGAIN_AFTER,
          'a cable that was out for five seconds: three times, announced, and stays in use',
        ),
        by(
          AGAIN_FILE,
          AGAIN_AFTER,
          "the pod's own link, which was switched off: three times, announced, and stays in use",
        ),
        by(AGAIN_FILE, AGAIN_AFTER, 'a sleep of five minutes: three times, announced, and stays in use'),
        by(
          AGAIN_FILE,
          AGAIN_AFTER,
          'a cable that was out for a minute: who has taken it meanwhile is a conflict, and the server is told',
        ),
        by(
          'faults/cable.test.ts',
          'the uplink is away for a while',
          'address-taken-while-away: found by probes when the cable is back, and declined',
        ),
      ),
    ),
    mustNot(
      '2.1',
      'probes again and again as a matter of course',
      met(
        by(CONFLICT, DETECTION, 'it is looked for once: no probe in a day of renewals (RFC 5227 2.1)'),
        by(GUARD, 'watch with probes', 'announces a free address twice, and then costs nothing'),
      ),
    ),
    must('2.1.1', 'has its own hardware address as that of the sender in a probe', met(PACKETS, FRAME)),
    must('2.1.1', 'has 0.0.0.0 as the sender’s IP address in a probe', met(PACKETS)),
    should('2.1.1', 'has zeros as the target’s hardware address in a probe', met(PACKETS)),
    must('2.1.1', 'has the address that it wants as the target’s IP address in a probe', met(PACKETS)),
    should(
      '2.1.1',
      'waits for a random time of up to 1 s (PROBE_WAIT) before the first probe',
      deviates('`background` does. `before` does not wait, for a container does.', TIMES, EXTREMES, QUICK),
    ),
    should('2.1.1', 'sends three probes (PROBE_NUM)', met(TIMES, QUICK)),
    should(
      '2.1.1',
      'leaves a random time of 1 to 2 s (PROBE_MIN, PROBE_MAX) between probes',
      deviates(
        `\`background\` does; a probe may be 50 ms late, for pods that came together share a wake-up. ${NOT_BEFORE}`,
        TIMES,
        EXTREMES,
        QUICK,
      ),
    ),
    should(
      '2.1.1',
      'waits for 2 s (ANNOUNCE_WAIT) after the last probe',
      deviates(`\`background\` does. ${NOT_BEFORE}`, TIMES, QUICK),
    ),
    must(
      '2.1.1',
      'takes an address for in use where it hears any ARP packet whose sender has it, from the first probe to the end of the last wait',
      deviates(
        `All that the uplink hears. ${SOON}`,
        by(MACHINE, 'while probing', 'background: reply of who has the address is a conflict'),
        by(MACHINE, 'while probing', 'background: announcement of who has the address is a conflict'),
        by(MACHINE, 'while probing', 'background: question of who has the address is a conflict'),
        by(MACHINE, 'while probing', 'before: question of who has the address is a conflict'),
        by(MACHINE, 'while probing', 'background: until the last moment'),
        by(MACHINE, 'while probing', 'before: until the last moment'),
        by(
          CLAIMS,
          'a host that only asks for others, with the address of a pod',
          'is noticed while its address is looked at in the background, too',
        ),
        by(
          CLAIMS,
          'a tap is told whose questions it hears',
          'soon, and then once a second, however many come and go',
        ),
      ),
    ),
    should(
      '2.1.1',
      'tells whoever configured the address: a DHCP server, by a DECLINE',
      met(
        BEFORE,
        BACKGROUND,
        by(
          'protocol/dhcp4/refuse.test.ts',
          'a conflict',
          'DECLINE by broadcast, ten seconds of silence, then from the beginning',
        ),
      ),
    ),
    should(
      '2.1.1',
      'takes a probe of somebody else for the same address for a conflict',
      deviates(
        '`before` does. In `background` the address is in use: the pod’s kernel answers the probe, and who sent it stops. Switches that ' +
          'track devices probe so too, and want no address.',
        by(
          MACHINE,
          'before the address is used',
          'who probes for it at the same time is a conflict (RFC 5227 2.1.1)',
        ),
        by(
          MACHINE,
          'in the background',
          'the probe of another is no conflict: the kernel answers it, for the address is in use',
        ),
      ),
    ),
    mustNot(
      '2.1.1',
      'takes its own packets for those of somebody else, as where a repeater sends them back',
      met(
        by(
          MACHINE,
          'while probing',
          'background: what comes from our own MAC never is, as when a switch sends it back',
        ),
        by(
          MACHINE,
          'while probing',
          'before: what comes from our own MAC never is, as when a switch sends it back',
        ),
        by(GUARD, 'watch', 'our own packets that come back, and probes of others, mean nothing'),
      ),
    ),
    must(
      '2.1.1',
      'tries one new address a minute (RATE_LIMIT_INTERVAL) at most after ten conflicts (MAX_CONFLICTS), of probing or of use',
      metSo(
        'Ten in a row: the first answered renewal ends it.',
        by(
          'lease/conflict-memory.test.ts',
          'a pool in which every address is another host’s',
          'of a running pod: an address each ten seconds, from the tenth conflict in a row on one a minute (RFC 5227 2.1.1)',
        ),
        by(
          'protocol/dhcp4/turn-down.test.ts',
          'an OFFER that must not be taken',
          'ten DECLINEs in a row: one a minute from then on (RFC 5227 2.1.1)',
        ),
        by(
          'protocol/dhcp4/refuse.test.ts',
          'a conflict',
          'from the tenth in a row on one address a minute (RFC 5227 2.1.1)',
        ),
      ),
    ),
    must(
      '2.3',
      'announces an address twice (ANNOUNCE_NUM), 2 s apart (ANNOUNCE_INTERVAL)',
      metSo(
        'The first time as it is put on, for it is used then. The second may be 50 ms late, for pods that came together share a wake-up.',
        by(ANNOUNCER, HAS_NOW, 'background: is announced twice, two seconds apart (RFC 5227 2.3)'),
        by(ANNOUNCER, HAS_NOW, 'before: is announced twice, two seconds apart (RFC 5227 2.3)'),
        by(ANNOUNCER, HAS_NOW, 'off: is announced twice, two seconds apart (RFC 5227 2.3)'),
        by(
          ANNOUNCER,
          HAS_NOW,
          'a new address of a running pod: by its kernel, and two seconds later by the uplink',
        ),
        by(
          'kernel/pod-announce.test.ts',
          'arpNotify announces when the interface comes up again, announce now as well',
        ),
        by(ANNOUNCER, HAS_NOW, 'without a lease nothing is said; without an uplink the pod says it, twice'),
        TIMES,
      ),
    ),
    must(
      '2.3',
      'announces by a probe in which both IP addresses are its own',
      deviates(
        'To the LAN. The macvlans of its own node are told once, by a reply to all, which costs the kernel a third less, and by which Linux learns as much.',
        PACKETS,
        by(
          ANNOUNCER,
          HAS_NOW,
          'is announced to the LAN at once, by the uplink, and to the siblings in their turn',
        ),
      ),
    ),
    must(
      '2.4',
      'does something about any ARP packet whose sender has its address and another hardware address, for as long as it uses it: gives the address up, or defends it once (b)',
      deviates(
        `It defends it once. Not with \`off\`. ${SOON}`,
        DEFENDED,
        ONCE,
        by(GUARD, 'watch', 'costs neither timer nor descriptor, and defends the address once'),
        by(GUARD, 'watch', 'without an uplink the pod listens, defends and gives up, after its probes'),
        by(
          CLAIMS,
          'a host that only asks for others, with the address of a pod',
          'is told that it is in use, and has it when it goes on: the server hears a DECLINE',
        ),
        by(
          FAULTS,
          'conflicts',
          'somebody else has the address',
          'conflict-defended: defended once, then given up',
        ),
        by(
          FAULTS,
          'conflicts',
          'somebody else has the address',
          'conflict-only-asks: who announces nothing and only asks for others is noticed',
        ),
      ),
    ),
    must(
      '2.4',
      'compares the sender’s hardware address with those of all its interfaces',
      met(
        by(
          'lease/own-interfaces.test.ts',
          'another interface of the pod on the same LAN (RFC 5227 2.4: any of its own)',
          'is no other host, however often it is heard, and is looked for once',
        ),
        by(
          FAULTS,
          'conflicts',
          'somebody else has the address of a pod on no uplink of ours',
          'own-interfaces-on-one-lan: what the pod says by its other interface is no conflict',
        ),
      ),
    ),
    must(
      '2.4',
      'defends by one announcement with its own addresses, and zeros as the target’s hardware address',
      met(ONCE, PACKETS),
    ),
    must(
      '2.4',
      'remembers when, and gives the address up where it is claimed again within 10 s (DEFEND_INTERVAL)',
      met(
        INSISTS,
        AGAIN,
        DEFENDED,
        by(
          'protocol/acd4/property.test.ts',
          'whatever is heard: few packets, one conflict at most, and an end of all probing',
        ),
      ),
    ),
    mustNot(
      '2.4',
      'defends an address that it never gives up (c) more than once in 10 s',
      doesNotApply('It gives every address up.'),
    ),
    should(
      '2.4',
      'resets the connections of an address before it gives it up',
      metSo(
        'Those of TCP, where the kernel can (SOCK_DESTROY); where it cannot, a counter says so.',
        by(
          'kernel/connections.test.ts',
          'connections from an address are reset at both ends, over IPv4 and of dual stack servers; others are not',
        ),
        by(
          CONFLICT,
          DETECTION,
          'its connections are reset before the address leaves the pod (RFC 5227 2.4), and where the kernel cannot do that it goes all the same',
        ),
      ),
    ),
    must(
      '2.5',
      'answers ARP questions for its address, ordinary ones and probes, from its first announcement on',
      metSo('The kernel of the pod does.', ANSWERS),
    ),
    shouldNot('2.6', 'answers by broadcast', metSo('The kernel of the pod answers by unicast.', ANSWERS)),
  ],
};
