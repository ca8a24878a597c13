import { by, deviates, met, must, type Rfc, should } from '../clause.ts';

export const RFC_3004: Rfc = {
  number: 3004,
  title: 'The User Class Option for DHCP',
  clauses: [
    must(
      '4',
      'puts the length before each class, which is not 0, so that the lengths and the classes fill the option',
      deviates(
        'Text of `send` and `provide` is sent as it is: iPXE sends one class without a length, and servers are set up for ' +
          'that. Hex digits say the form of the RFC, or any other; nobody looks into them.',
        by('wire/dhcp4/option-text.test.ts', 'encodeOptionText', 'user-class "iPXE"'),
        by('cni/dhcp/typed-value.test.ts', 'typed and plain values, as bytes'),
      ),
    ),
    should(
      '4',
      'lets users enter one class or several',
      met(
        by(
          'plugins/dhcp-options.test.ts',
          'every key of the ipam section, as the server sees it',
          'provide: names, decimal codes, text and hex',
        ),
      ),
    ),
  ],
};
