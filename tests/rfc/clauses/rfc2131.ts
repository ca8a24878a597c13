import type { Rfc } from '../clause.ts';
import { CLIENT } from './rfc2131-client.ts';
import { EXCHANGE } from './rfc2131-exchange.ts';
import { MESSAGES } from './rfc2131-messages.ts';

export const RFC_2131: Rfc = {
  number: 2131,
  title: 'Dynamic Host Configuration Protocol',
  scope: 'Sections 4.3.1 and 4.3.3 to 4.3.5, and table 3, are for servers.',
  clauses: [...EXCHANGE, ...MESSAGES, ...CLIENT],
};
