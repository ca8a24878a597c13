import { allOptions, type OptionRow } from '../../../src/wire/dhcp4/options.ts';

const HEAD = `# DHCP options

The names that configuration takes, one row for each option of IANA's registry that has a use. The first name is the
one that Leasehold prints; dnsmasq's and Kea's names, a decimal code (1 to 254) and \`option-CODE\` mean the same. Case
does not matter.

A value is written as the column says, as text. \`0x\` and hex digits give those bytes, for any option. A code without
a row takes text, which is sent as it is. A value may have 255 bytes, or 1024 where the last column says "long": it is
sent in pieces then (RFC 3396). "exchange" marks what the DHCP exchange sets by itself and configuration cannot.

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

The Go plugin's keys mean what they mean there: \`provide\`, a list of \`{"option", "value", "fromArg"}\` whose values are
text or \`0x\` and hex digits, wins over \`send\`; and \`request\` takes \`{"option", "skipDefault"}\` beside plain names.

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
