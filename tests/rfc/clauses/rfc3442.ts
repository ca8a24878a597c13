import { by, deviates, doesNotApply, met, metSo, must, mustNot, type Rfc, should } from '../clause.ts';

/** Its sections have no numbers. */
const CLIENT = 'page 5, DHCP Client Behavior';
const SIZING = 'page 6, Sizing Constraints';

const LEASE = 'protocol/dhcp4/lease.test.ts';
const ADDRESSES = 'wire/dhcp4/codec-address.test.ts';
const POLICE = 'protocol/dhcp4/police-routes.test.ts';
const MESSAGE = 'wire/dhcp4/message.test.ts';
const CONF = 'cni/dhcp/dhcp-conf.test.ts';
const RULES = 'cni/dhcp/option-rules.test.ts';
const EVERY_LIST = 'the list of option 55, whatever is asked for';

const IN_THE_POD = by(
  'plugins/lease-result.test.ts',
  'classless routes (option 121)',
  'they count instead of options 3 and 33',
);
const ONE_OF = by(LEASE, 'routes', 'option 121 wins over 249, and 249 over 3 and 33');
const MALFORMED = by(
  LEASE,
  'routes',
  'an option 121 that is malformed counts as absent: 249 is read, else 33 and 3',
);
const LIST = by(CONF, "request: names, codes and the Go plugin's form; ipv6Only adds 108");
const SIZE = by(
  'protocol/dhcp4/fields.test.ts',
  'fields and options by state (RFC 2131 tables 4 and 5)',
  'option 57: the MTU, headers included (RFC 3442), from 576 (RFC 2132 9.10) to what is read',
);

export const RFC_3442: Rfc = {
  number: 3442,
  title: 'The Classless Static Route Option for DHCPv4',
  clauses: [
    must(
      'page 5, Local Subnet Routes',
      'ignores a route by the router 0.0.0.0 where its IP stack cannot have one',
      doesNotApply('Linux can: the destination is on the link then.'),
    ),
    must(CLIENT, 'ignores the option if it does not support it', doesNotApply('It supports it.')),
    must(
      CLIENT,
      'installs the routes of the option',
      deviates(
        'Not those that would break a pod or its node: into a protected or a loopback network, by a router that can be none, the ' +
          'second one of a destination, and those beyond the bound. What was left out is in the log. `routes` in the configuration can keep all of them out.',
        IN_THE_POD,
        by(POLICE, 'routes that are taken', 'the first of each destination, and a good one after a bad one'),
        by('plugins/second-interface.test.ts', 'a second interface', 'routes "none"'),
      ),
    ),
    mustNot(
      CLIENT,
      'installs the routes of option 33 where there is option 121 as well',
      metSo('One that cannot be read counts as not there.', ONE_OF, IN_THE_POD, MALFORMED),
    ),
    must(
      CLIENT,
      'asks for both 121 and 3 (routers) in its parameter request list',
      deviates(
        'It does as it is. A list of yours that has `skipDefault` has what you name. And the short list of the third try and ' +
          'later ones, for servers that drop a long one, is 1, 3, 15, 6.',
        by(
          RULES,
          EVERY_LIST,
          'has both 121 and 3 with the defaults (RFC 3442), and keeps the order of the rest',
        ),
        LIST,
        by(
          'protocol/dhcp4/extras.test.ts',
          'a server that is silent to a message with one extra',
          'a long list (55) in any message: served after some tries, and the next pods at once and with all else',
        ),
      ),
    ),
    must(
      CLIENT,
      'has 121 before 3 and 33 in that list',
      metSo(
        'Wherever the configuration names them.',
        by(
          RULES,
          EVERY_LIST,
          'has 121 before 3 and 33 (RFC 3442), and 249 where it stands for 121; each code once, none of 80',
        ),
        LIST,
      ),
    ),
    must(
      CLIENT,
      'ignores option 3 where there is option 121 as well',
      metSo(
        'The gateway in the result of ADD is that of its default route, too. An option 121 that cannot be read counts as not there.',
        IN_THE_POD,
        ONE_OF,
        by(
          LEASE,
          'routes',
          'the default router is that of the route: option 3 counts where there are no classless routes alone',
        ),
        MALFORMED,
      ),
    ),
    must(
      CLIENT,
      'ignores option 33 where there is option 121 as well',
      metSo('One that cannot be read counts as not there.', ONE_OF, IN_THE_POD, MALFORMED),
    ),
    must(
      CLIENT,
      'clears the bits of a destination that its mask does not have',
      met(by(ADDRESSES, 'classless routes', 'host bits are cleared')),
    ),
    should(
      SIZING,
      'sends a maximum message size (option 57)',
      deviates(
        'Not to a server that does not answer to it, and not by anonymous clients (RFC 7844).',
        SIZE,
        by(
          'protocol/dhcp4/extras.test.ts',
          'a server that is silent to a message with one extra',
          'option 57 in any message: served after some tries, and the next pods at once and with all else',
        ),
      ),
    ),
    should(
      SIZING,
      'says at least the MTU of the interface in it, headers included',
      deviates(
        '1,500 at most: longer messages are not read.',
        SIZE,
        by(
          'plugins/dhcp-options.test.ts',
          'every key of the ipam section, as the server sees it',
          "option 57 is the MTU of the pod's interface with the headers (RFC 3442), 576 at least",
        ),
      ),
    ),
    must(
      SIZING,
      'joins the pieces of an option (RFC 3396)',
      met(
        by(
          MESSAGE,
          'parseDhcp4',
          'joins the pieces of an option across all fields: options, file, sname (RFC 3396)',
        ),
      ),
    ),
  ],
};
