import { by, met, must, type Rfc } from '../clause.ts';

const FIELDS = 'protocol/dhcp4/fields.test.ts';
const TABLES = 'fields and options by state (RFC 2131 tables 4 and 5)';

export const RFC_2131: Rfc = {
  number: 2131,
  title: 'Dynamic Host Configuration Protocol',
  clauses: [
    must(
      '3.1',
      'names the chosen server (option 54) in the REQUEST that answers an OFFER',
      met(by(FIELDS, TABLES, 'REQUEST after SELECTING: 50 and 54')),
    ),
  ],
};
