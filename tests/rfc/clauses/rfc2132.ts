import { by, met, must, type Rfc } from '../clause.ts';

const FIELDS = 'protocol/dhcp4/fields.test.ts';
const TABLES = 'fields and options by state (RFC 2131 tables 4 and 5)';

export const RFC_2132: Rfc = {
  number: 2132,
  title: 'DHCP Options and BOOTP Vendor Extensions',
  clauses: [
    must(
      '9.7',
      'gives the server identifier in each REQUEST that chooses between OFFERs',
      met(by(FIELDS, TABLES, 'REQUEST after SELECTING: 50 and 54')),
    ),
  ],
};
