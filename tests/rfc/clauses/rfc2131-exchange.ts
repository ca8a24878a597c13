import {
  by,
  deviates,
  doesNotApply,
  met,
  metSo,
  must,
  mustNot,
  should,
  shouldNot,
  suiteOf,
  type Clause,
} from '../clause.ts';
import {
  ANY_SERVER,
  conflict,
  detection,
  emitted,
  extending,
  extras,
  fields,
  identity,
  lost,
  onTheWire,
  parsed,
  remembered,
  refused,
  requesting,
  selecting,
  sent,
  THE_WHOLE,
  times,
  verifying,
} from './dhcp4-tests.ts';
import { ANOTHER_NAME, declines } from './rfc2131-verdicts.ts';

const unusable = suiteOf('plugins/failed-add.test.ts', 'an ADD without a usable answer');
const cable = suiteOf('lease/keeper.test.ts', 'a cable');
const serverDown = suiteOf('faults/server-down.test.ts', 'the server is down');
const daemonAway = suiteOf('faults/daemon.test.ts', 'the daemon is away');

/** Sections 1 to 3. */
export const EXCHANGE: readonly Clause[] = [
  shouldNot(
    '1',
    'acts as a DHCP server unless somebody configured it as one',
    doesNotApply('it is a client, and has no server in it'),
  ),
  must(
    '1.6',
    'is prepared for several answers to one request',
    met(
      requesting('further OFFERs are discarded and say nothing against the network'),
      by(
        'faults/server-replaced.test.ts',
        'another server',
        'two-servers: one of them has the lease, the other one none',
      ),
    ),
  ),
  should(
    '1.6',
    'finds its configuration without anybody configuring it',
    met(
      by(
        'plugins/fixtures.test.ts',
        'the conflists that people write by hand work as they are',
        'home-lab-1: an address from the LAN, and the router answers',
      ),
    ),
  ),
  must(
    '1.6',
    'works across routers, by way of relay agents',
    met(
      by(
        'faults/network.test.ts',
        'a network with faults',
        'relay-between: a lease, renewals through the router, and a RELEASE',
      ),
    ),
  ),
  must(
    '1.6',
    'coexists with hosts that were configured by hand',
    metSo(
      'unless `conflictCheck` is `off`',
      by(
        'faults/conflicts.test.ts',
        'conflicts',
        'somebody else has the address',
        'conflict-before-use: declined, and the ADD answers with another one',
      ),
      by(
        'faults/conflicts.test.ts',
        'conflicts',
        'somebody else has the address',
        'conflict-found-beside: the running pod moves to another address',
      ),
    ),
  ),
  should(
    '1.6',
    'is given the same address again after it was started again, where that is possible',
    metSo(
      'where the identity is that of a pod; a container is another client each time',
      by(
        'lease/past.test.ts',
        'a client that comes back',
        'gets its address from a server that forgets what is released, and gives the lowest free one',
      ),
    ),
  ),
  must(
    '2',
    'has a client identifier that no other client of the subnet has',
    metSo(
      'container, network and interface by default; one that is configured is for its author to choose',
      onTheWire('client-id: containerID/network/ifname behind a zero byte, in all messages'),
      by(
        'cni/identity/client-id.test.ts',
        'what goes on the wire',
        'for any attachment: 2 to 255 bytes, the same again, and another one for another key',
      ),
    ),
  ),
  must(
    '2',
    'uses that client identifier in all further messages',
    deviates(
      "the identifier that is a container's own is left out of every other DISCOVER once five had no answer (7.75 s), for servers were seen to drop a long one. Such a DISCOVER is a transaction of its own, and all that follows its answer, to the end of the lease, lacks the identifier as well. One that you chose is in every message",
      ...ANOTHER_NAME,
    ),
  ),
  must(
    '2',
    'is prepared to receive 312 bytes of options, a message of 576 bytes with its headers',
    metSo('it takes 1500 bytes', parsed('bounds the size')),
  ),
  must(
    '2',
    'sets the bits of `flags` beside BROADCAST to 0',
    met(sent('flags: BROADCAST or nothing, and nothing in DECLINE and RELEASE')),
  ),
  must(
    '2 table 1',
    'sets `op` to BOOTREQUEST, `htype` and `hlen` to those of its hardware, `hops` to 0',
    met(sent('op, htype, hlen, hops: a BOOTREQUEST of an Ethernet')),
  ),
  must(
    '2 table 1',
    'counts `secs` from when it began to seek an address or to renew',
    met(
      selecting('secs tells for how long an address has been sought'),
      extending('the REQUEST carries ciaddr and goes from the address'),
    ),
  ),
  mustNot(
    '2 table 1',
    'fills in `ciaddr` unless it is in BOUND, RENEWING or REBINDING and can answer ARP',
    met(sent('ciaddr: the leased address in RENEWING, REBINDING and RELEASE, else 0')),
  ),
  should(
    '2.2',
    'probes an address that it has just been given, by ARP',
    metSo(
      'in the background unless `conflictCheck` says `before` or `off`',
      detection('background: the ADD answers at once, then the address is changed in the running pod'),
      detection('before: the ADD waits, declines, and gives another address after ten seconds'),
    ),
  ),
  must(
    '3',
    'begins the options with the magic cookie',
    met(emitted('lays the fields out as in RFC 2131 figure 1')),
  ),
  must('3', 'states the message type (53) in each message', met(sent('message type (53): in each'))),
  must(
    '3.1',
    'names the chosen server (54) in the REQUEST for an OFFER',
    met(
      fields('REQUEST after SELECTING: 50 and 54'),
      sent('server identifier (54): in SELECTING, DECLINE and RELEASE'),
    ),
  ),
  must(
    '3.1',
    'asks there for the address of the OFFER (50)',
    met(sent('requested address (50): in SELECTING, INIT-REBOOT and DECLINE')),
  ),
  must(
    '3.1',
    'sends that REQUEST with the `secs` of the DISCOVER',
    met(requesting('it keeps xid and secs of the DISCOVER (RFC 2131 3.1, 4.4.1), however long it takes')),
  ),
  must(
    '3.1',
    'sends that REQUEST to the broadcast address that the DISCOVER went to',
    met(onTheWire(THE_WHOLE)),
  ),
  should(
    '3.1',
    'checks what the ACK grants once more, such as the address by ARP',
    deviates(
      'by default while the address is in use already, for a container waits for the ADD; before that with `conflictCheck: before`; not at all with `off`',
      detection('background: the ADD answers at once, then the address is changed in the running pod'),
      detection('before: the ADD waits, declines, and gives another address after ten seconds'),
      detection('off: the pod gets the address that somebody uses'),
    ),
  ),
  must(
    '3.1',
    'sends a DECLINE when the address is in use',
    declines(conflict('DECLINE by broadcast, ten seconds of silence, then from the beginning')),
  ),
  should(
    '3.1',
    'waits ten seconds at least before it begins anew after that',
    met(
      conflict('DECLINE by broadcast, ten seconds of silence, then from the beginning'),
      detection('before: the ADD waits, declines, and gives another address after ten seconds'),
    ),
  ),
  must(
    '3.1',
    'begins anew after a NAK',
    met(refused('the first one: at once from the beginning; further ones ever later')),
  ),
  should(
    '3.1',
    'repeats a REQUEST often enough to reach the server, and not for too long',
    metSo(
      'six times in 16 s; the example of the RFC is four times in 60 s',
      requesting('REQUEST goes out six times, then an address is sought anew'),
    ),
  ),
  must(
    '3.1',
    'goes back to INIT when nobody has answered the REQUESTs',
    met(requesting('REQUEST goes out six times, then an address is sought anew')),
  ),
  should(
    '3.1',
    'tells the user that this has failed and begins again',
    metSo(
      'by its log, and by the error of an ADD that fails in the end',
      unusable('ack-silent: an OFFER and then nothing; what may have been granted is given back'),
      by(
        'lease/server-notes.test.ts',
        'servers',
        'one that offers and never confirms is named when its offer is given up, once in a while',
      ),
    ),
  ),
  must(
    '3.1',
    'gives a lease back under the client identifier under which it got it',
    met(
      onTheWire('client-id: one from the configuration takes its place, in RELEASE too'),
      extras('renewals, a RELEASE and a DECLINE lack what the REQUEST lacked'),
    ),
  ),
  mustNot(
    '3.2',
    'fills in `ciaddr` when it asks for an address that it had before',
    met(sent('ciaddr: the leased address in RENEWING, REBINDING and RELEASE, else 0')),
  ),
  must(
    '3.2',
    'asks for it under the client identifier under which it got it',
    met(identity('who had an address keeps the name under which it had it')),
  ),
  must(
    '3.2',
    'sends a DECLINE when that address turns out to be in use, and asks for a new one',
    declines(remembered('somebody else uses it by now: DECLINE, and another one is sought (RFC 2131 3.2)')),
  ),
  must(
    '3.2',
    'does not use that address after a NAK, and begins with a DISCOVER',
    met(remembered(ANY_SERVER)),
  ),
  should(
    '3.2',
    'repeats the REQUEST often enough to reach the server, and not for too long',
    deviates(
      'three times in 1.75 s where an ADD waits: a server that does not know the client has to be silent (4.3.2), and then a DISCOVER with the address as a wish is next. A lease in use is asked about for 64 s',
      remembered('silence: DISCOVER with it as a wish, and any address is taken'),
      verifying('no answer for a minute: nobody said no, and T1 is where it was'),
    ),
  ),
  must(
    '3.3',
    'takes times as seconds by its own clock',
    met(
      requesting('the lease counts from the first REQUEST, not from the ACK'),
      daemonAway('wall-clock-jump: no lease minds'),
    ),
  ),
  must(
    '3.3',
    'takes a time of all ones as infinite',
    met(
      times('a lease of all ones has no times'),
      by('protocol/dhcp4/extend.test.ts', 'BOUND', 'an infinite lease never wakes'),
    ),
  ),
  must(
    '3.5',
    'repeats the parameter request list of the DISCOVER in all REQUESTs that follow',
    deviates(
      'a list is in each of them, and the same one as long as the server answers. To a server that does not, the list is a short one (1, 3, 15, 6): some drop a long list',
      onTheWire('request: named options before the defaults, or instead of them'),
      extras(
        'a long list (55) in any message: served after some tries, and the next pods at once and with all else',
      ),
    ),
  ),
  should(
    '3.5',
    'states the largest message that it takes (57)',
    deviates(
      'not to a server that does not answer to it, and not by anonymous clients (RFC 7844)',
      sent('parameter request list (55) and maximum message size (57): not in DECLINE and RELEASE'),
      extras(
        'option 57 in any message: served after some tries, and the next pods at once and with all else',
      ),
    ),
  ),
  must(
    '3.6',
    'asks through each interface by itself',
    met(
      by(
        'plugins/second-interface.test.ts',
        'a second interface in the life of its lease',
        'renewed, put back by the daemon, and moved to another address it stays as it was',
      ),
    ),
  ),
  should(
    '3.7',
    'asks for its address again, or verifies it, whenever the network may be another one: at boot, after a disconnection',
    deviates(
      'so it does after ten seconds without a carrier, and when an uplink is plugged in again. A carrier that was away for less is taken to lead to the same network: ports and switches that start again would have every pod ask. After a boot there are other pods',
      cable('out for a moment: nothing is asked'),
      cable('out for longer: the lease is verified, by broadcast without a source address'),
      by(
        'lease/relink.test.ts',
        'an uplink that is plugged in again',
        'its pods have their interface and address back, and the server is asked whether they may',
      ),
      by(
        'faults/moved.test.ts',
        'a cable that was out leads to another network',
        'carrier-back-on-another-network: the pod moves, whatever server is there; what came home stays',
      ),
      daemonAway('node-rebooted: the leases of pods that are gone are released'),
    ),
  ),
  must(
    '3.7',
    'gives up its address at once when the lease ends before a server has answered',
    met(
      lost('expiry: the address goes at the very end, whatever the server does'),
      serverDown(
        'server-down-through-expiry: the address leaves the pod on time, and comes back with a server',
      ),
      daemonAway('daemon-down-past-the-lease: the address goes by itself, then a new lease comes'),
    ),
  ),
];
