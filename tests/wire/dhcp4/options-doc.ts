import { allOptions, type OptionRow } from '../../../src/wire/dhcp4/options.ts';

const HEAD = `# DHCP options

The names that configuration takes, one row for each option of IANA's registry that has a use. The first name is the
one that Leasehold prints; dnsmasq's and Kea's names, a decimal code (1 to 254) and \`option-CODE\` mean the same. Case
does not matter.

A value is written as the column says, as text. \`0x\` and hex digits give those bytes, for any option. A code without
a row takes text, which is sent as it is. A value may have 255 bytes, or 1024 where the last column says "long": it is
sent in pieces then (RFC 3396). "exchange" marks what only the DHCP exchange itself sends, or no client does: neither
\`send\` nor \`provide\` takes it.

## In a configuration

In the \`ipam\` section of type \`dhcp\`, or under \`dhcp\` in the daemon's file:

\`\`\`json
{
  "send": {
    "vendor-class-identifier": "lab",
    "ntp-servers": { "ips": ["192.168.1.1", "192.168.1.2"] },
    "interface-mtu": 1500,
    "224": { "u16": 258 },
    "43": { "hex": "0104c0a80201" }
  },
  "request": ["tftp-server-name", 150]
}
\`\`\`

A value of \`send\` is plain, as above (text, or a number or true/false where the column says so), or has a type: \`ip\`,
\`ips\`, \`u8\`, \`u16\`, \`u32\`, \`bool\`, \`text\`, \`hex\`. The type must be one that the option takes: bytes and codes without a
row take all of them. \`hex\` is taken by every option and not looked into. The client identifier has a key of its own,
\`clientId\`: see [identity.md](identity.md).

Where option 81 is sent 12 is not ([identity.md](identity.md#hostname-and-fqdn)). Option 80 cannot be asked for (RFC 4039 3), and 108
only with \`ipv6Only\` (RFC 8925 3.2).

The Go plugin's keys mean what they mean there: \`provide\`, a list of \`{"option", "value", "fromArg"}\` whose values are
text or \`0x\` and hex digits, wins over \`send\`; and \`request\` takes \`{"option", "skipDefault"}\` beside plain names.

## In an answer

Asked for in option 55, beside what \`request\` names: 1, 121, 3, 6, 15, 26, 33, 58, 59, 119 and 249. Not 51, 53 and 54,
which are in every answer: a server that is configured to send one of them would send it twice.

- What is named comes first, in your order: a server that is short of room fills in what comes first. But 121 is always before 3
  and 33 (RFC 3442), and so is 249 where 121 is not asked for.
- RFC 3442 has 121 and 3 asked for together; with \`skipDefault\` it is you who says what is asked for.
- Option 57 is the MTU of the pod's interface, headers included (RFC 3442), from 576 to 1,500: no longer message is read.

Servers are not always tidy. What you get of what they send:

| what a server sends | what you get |
|---|---|
| an option of one value (an address, a number) several times | one value, the first; where they differ the log says so |
| a list or a text several times, in the options or where option 52 says | one long value: the parts are joined (RFC 3396) |
| option 6 or 3 with 0.0.0.0, 255.255.255.255, loopback, multicast, or an end of the pod's own network | the other addresses, each once |
| option 121, 249 or 33 with such a router | the other routes; 0.0.0.0 in 121 and 249 means "on the link" |
| option 15 with one name | \`domain\` in the result of ADD |
| option 15 with several names (spaces, commas or semicolons between) | the first is \`domain\`; without option 119 all of them are \`search\` |
| a bad name in option 15 or 119 | the other names. In 119 those behind a label of an unknown kind (RFC 1035 4.1.4) are lost with it: nobody knows where it ends. An option 15 with characters that are not seen, or that is no UTF-8, cannot be read as a whole |
| classless routes (121, or 249 without it) | those routes alone; 3 and 33 are not looked at (RFC 3442), and \`gateway\` in the result of ADD is the router of their default route, or missing (the Go plugin gives option 3) |
| a 121 that cannot be read | 249, or without that 33 and 3, make the routes |
| an option that cannot be read | as if it was not there; an answer whose 1, 51, 53 or 54 cannot be read is not taken |

What is left out is in the daemon's log, once for each lease: "options of the lease were not taken as they are", "options
of the lease are malformed", "routes of the lease were not taken".

## The options

| code | name | also | value | RFC | |
|---:|---|---|---|---|---|
`;

function line(row: OptionRow): string {
  const aliases = (row.aliases ?? []).map((alias) => `\`${alias}\``).join(' ');
  const value = row.literal === true ? 'text, sent as it is' : row.codec.kind;
  const mark = row.reserved === true ? 'exchange' : row.splits === true ? 'long' : '';
  return `| ${row.code} | \`${row.name}\` | ${aliases} | ${value} | ${row.rfc} | ${mark} |`;
}

/** The text of docs/dhcp-options.md. */
export function optionsDocument(): string {
  return `${HEAD}${allOptions().map(line).join('\n')}\n`;
}
