import { allOptions, type OptionRow } from '../../../src/wire/dhcp4/options.ts';

const HEAD = `# DHCP options

The names that configuration takes, one row for each option of IANA's registry that has a use. The first name is the
one that Leasehold prints; dnsmasq's and Kea's names, a decimal code (1 to 254) and \`option-CODE\` mean the same. Case
does not matter.

A value is written as the column says. \`0x\` and hex digits give those bytes, for any option. A code without a row
takes text, which is sent as it is. A value may have 255 bytes, or 1024 where the last column says "long": it is sent
in pieces then (RFC 3396). "exchange" marks what the DHCP exchange sets by itself and configuration cannot.

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
