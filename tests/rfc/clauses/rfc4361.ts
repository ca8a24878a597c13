import { by, deviates, doesNotApply, met, metSo, must, mustNot, type Rfc, should } from '../clause.ts';

const CLIENT_ID = 'cni/identity/client-id.test.ts';
const WIRE = 'what goes on the wire';
const EXTRAS = 'protocol/dhcp4/extras.test.ts';

const DUID = by(
  CLIENT_ID,
  WIRE,
  "duid: 255, IAID, DUID-UUID; the DUID is the pod's, the IAID the interface's",
);
const CONTAINER = by(
  CLIENT_ID,
  WIRE,
  'container: containerID/network/ifname behind a zero byte, cut at 254 bytes',
);
const ON_THE_WIRE = by(
  'plugins/identity.test.ts',
  'identity and options, as the server sees them',
  'clientId pod and duid: the same for the next container of that name; in all messages',
);
const CHOSEN = by(
  EXTRAS,
  'option 61, the identity',
  'one that somebody chose is in every message, whatever happens',
);
const NAMELESS = by(
  EXTRAS,
  'option 61, the identity',
  'without it a message is another transaction, and the REQUEST is of the client that was answered',
);

const WITHOUT =
  'One that is made from the container is new each time, so that nothing can be bound to it. Where nobody answers, every other ' +
  'message from the sixth on lacks it, for servers that drop a long one. One that you chose is never left out.';

export const RFC_4361: Rfc = {
  number: 4361,
  title: 'Node-specific Client Identifiers for DHCPv4',
  scope:
    'The default, `clientId: container`, is the identifier of the Go plugin, so that a node changes over and none of its pods ' +
    'becomes a stranger. `clientId: duid` is that of this RFC.',
  clauses: [
    must(
      '6.1',
      'uses an identifier of its node that stays',
      deviates(
        'By default that of a container, which is new after a restart; with `duid` and `pod` that of the pod, on every node.',
        CONTAINER,
        DUID,
        ON_THE_WIRE,
      ),
    ),
    mustNot(
      '6.1',
      'makes it from the hardware address of a device alone',
      deviates(
        'Only with `clientId: mac`, for servers and reservations that expect it, and `anonymous`, of which RFC 7844 3.5 wants just that.',
        CONTAINER,
        by(CLIENT_ID, WIRE, 'mac: type 1 and the address'),
      ),
    ),
    must(
      '6.1',
      'sends option 61 with the type 255, an IAID of four bytes, and a DUID',
      deviates('Only with `clientId: duid`.', DUID, ON_THE_WIRE, CONTAINER),
    ),
    should(
      '6.1',
      'lets an operator learn its DUID',
      metSo(
        '`leasehold leases --wide`, and its API.',
        by(
          'cli/cli.test.ts',
          'leases of pods that the runtime names; --wide: who each is to the server (RFC 4361 6.1)',
        ),
        by(
          'wire/dhcp4/client-identifier.test.ts',
          'an option 61 as an administrator sees it',
          'type 255: IAID and DUID (RFC 4361 6.1)',
        ),
        by(
          'plugins/identity.test.ts',
          'identity and options, as the server sees them',
          'the API names the pod, and the identifier, IAID and DUID that the server sees (RFC 4361 6.1)',
        ),
      ),
    ),
    should(
      '6.1',
      'lets an operator choose its DUID',
      metSo(
        'As the bytes of option 61: `0xff`, the IAID, the DUID.',
        by(CLIENT_ID, 'the key clientId', 'policies, text and hex'),
      ),
    ),
    should(
      '6.1',
      'uses one DUID for DHCPv4 and DHCPv6, without an operator',
      doesNotApply('It is no DHCPv6 client. One in the pod is not its own, and cannot be told.'),
    ),
    should('6.1', 'uses one DUID on all interfaces', metSo('With `clientId: duid`: those of one pod.', DUID)),
    should(
      '6.1',
      'uses another IAID on each interface',
      metSo('With `clientId: duid`: by the name of the interface.', DUID),
    ),
    must(
      '6.1',
      'keeps a DUID that it made, also over a reboot',
      metSo(
        'It keeps none: with `clientId: duid` the same one is computed from the name of the pod each time.',
        DUID,
        by(
          CLIENT_ID,
          WIRE,
          'for any attachment: 2 to 255 bytes, the same again, and another one for another key',
        ),
      ),
    ),
    must('6.4', 'names itself by option 61', deviates(WITHOUT, CHOSEN, NAMELESS)),
    must(
      '6.4',
      'sends the same option 61 in all of its messages',
      deviates(
        'Those without it are of another client, with an xid of its own; a lease that it got so is renewed and released so. One that you chose is in every message.',
        CHOSEN,
        ON_THE_WIRE,
        by(EXTRAS, 'option 61, the identity', 'who had an address keeps the name under which it had it'),
        NAMELESS,
      ),
    ),
    mustNot('6.4', 'relies on chaddr to be known', deviates(WITHOUT, CHOSEN, NAMELESS)),
    must(
      '6.4',
      'has an identifier that no other client has',
      met(
        by(CLIENT_ID, WIRE, 'two pods have two identifiers'),
        by(CLIENT_ID, WIRE, 'pod: what is too long ends in a hash, so that two long names are two'),
        DUID,
      ),
    ),
    should(
      '7',
      'releases its lease, and hands its DUID on, where it is one of several stages of a network boot',
      doesNotApply('It is no boot loader.'),
    ),
  ],
};
