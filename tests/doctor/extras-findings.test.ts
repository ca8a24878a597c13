import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { millis } from '../../src/base/time.ts';
import type { PodExtras } from '../../src/protocol/dhcp4/extras.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { lanFindings } from '../../src/doctor/lan.ts';
import { diagnoseAdd } from '../../src/doctor/add-diagnosis.ts';
import { DHCP_MESSAGE_TYPE } from '../../src/wire/dhcp4/message-type.ts';
import { type Asked, FakeLan, replyFrame } from './support/fake-lan.ts';

const LONG_ENOUGH_MS = 20_000;
const CONFIGURED: PodExtras = {
  parameterRequest: [1, 3, 6, 12, 15, 26, 33, 42, 119, 121, 249],
  send: { 12: '706f64', 60: '6c6162', 81: '0000000370306400' },
  rapidCommit: true,
  forceRenew: true,
};

const { DHCPRELEASE, DHCPACK } = DHCP_MESSAGE_TYPE;
const typeOf = ({ message }: Asked): number | undefined => message.options.get(53)?.[0];
const lengthOf = ({ message }: Asked, code: number): number => message.options.get(code)?.length ?? 0;

/** A LAN whose server answers what does not trip it. */
function lanOf(trips: (asked: Asked) => boolean): FakeLan {
  const lan = new FakeLan();
  lan.answer = (asked) => (trips(asked) || typeOf(asked) === DHCPRELEASE ? [] : [replyFrame(asked)]);
  return lan;
}

async function found(lan: FakeLan, patience = 0, extras = CONFIGURED): Promise<readonly Finding[]> {
  const findings = lanFindings(lan, 'eth0', { patience: millis(patience), extras });
  await lan.pass(LONG_ENOUGH_MS);
  return await findings;
}

const ROWS: readonly (readonly [string, (asked: Asked) => boolean, RegExp])[] = [
  [
    'option 80',
    ({ message }) => message.options.has(80),
    /option 80 \(rapid-commit\),.*"rapidCommit": false/,
  ],
  [
    'option 145',
    ({ message }) => message.options.has(145),
    /option 145 \(forcerenew-nonce-capable\),.*"forceRenew": false/,
  ],
  [
    'a long list',
    (asked) => lengthOf(asked, 55) > 8,
    /option 55 \(dhcp-parameter-request-list\),.*"request"/,
  ],
  ['option 57', ({ message }) => message.options.has(57), /option 57 \(dhcp-max-message-size\),.*"send"/],
  [
    'a long identifier',
    (asked) => lengthOf(asked, 61) > 32,
    /option 61 \(dhcp-client-identifier\),.*"clientId": "mac"/,
  ],
  ['option 60', ({ message }) => message.options.has(60), /option 60 \(vendor-class-identifier\),.*"send"/],
  ['option 81', ({ message }) => message.options.has(81), /option 81 \(fqdn\),.*"send"/],
];

describe('options over which a server trips', () => {
  for (const [name, trips, words] of ROWS) {
    for (const patience of [0, 6500]) {
      test(`${name} is named, with what to do; ${patience} ms of patience`, async () => {
        const lan = lanOf(trips);
        const [finding, ...others] = await found(lan, patience);
        assert.ok(finding !== undefined);
        assert.equal(finding.id, 'option-not-taken');
        assert.match(`${finding.title} ${finding.remedy.join(' ')}`, words);
        assert.deepEqual(
          others.map(({ id }) => id),
          [],
        );
        assert.ok(lan.asked.length < 120, String(lan.asked.length));
        assert.deepEqual([lan.closed, lan.pendingTimers], [1, 0]);
      });
    }
  }

  test('messages that are too long as a whole, each option alone is taken', async () => {
    const [finding] = await found(lanOf(({ message }) => message.options.has(57) && message.options.has(60)));
    assert.match(finding?.title ?? '', /option 55 .*, 57 .*, 61 .*, 60 /);
  });

  test('the error of an ADD has it', async () => {
    const lan = lanOf(({ message }) => message.options.has(81));
    const words = diagnoseAdd(lan, { index: 3, name: 'eth0' }, undefined, CONFIGURED);
    await lan.pass(LONG_ENOUGH_MS);
    assert.match(
      (await words) ?? '',
      /^DHCP on eth0 does not answer a message that carries option 81 \(fqdn\), .* Take option 81/,
    );
  });

  test('a server that takes all: nothing to say; one that is silent: not the options', async () => {
    assert.deepEqual(
      (await found(lanOf(() => false))).map(({ id }) => id),
      ['lan-ok'],
    );
    assert.deepEqual(
      (await found(lanOf(() => true))).map(({ id }) => id),
      ['no-server'],
    );
  });

  test('pods that do not offer rapid commit are not asked for', async () => {
    const lan = lanOf(({ message }) => message.options.has(80));
    const findings = await found(lan, 0, { ...CONFIGURED, rapidCommit: false });
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['lan-ok'],
    );
  });
});

describe('a server that commits a lease to the probe', () => {
  for (const [name, marked, id] of [
    ['with option 80 (RFC 4039)', true, 'lan-ok'],
    ['without option 80', false, 'rapid-ack-unmarked'],
  ] as const) {
    test(`an ACK ${name}: the lease is released at once`, async () => {
      const lan = new FakeLan();
      lan.answer = (asked) => {
        if (typeOf(asked) === DHCPRELEASE) return [];
        return [replyFrame(asked, asked.message.options.has(80) ? { type: DHCPACK, rapid: marked } : {})];
      };
      const findings = await found(lan);
      assert.deepEqual(
        findings.map((finding) => finding.id),
        [id],
      );
      const committed = lan.asked.filter(({ message }) => message.options.has(80));
      const released = lan.asked.filter((asked) => typeOf(asked) === DHCPRELEASE);
      assert.deepEqual([committed.length, released.length], [1, 1]);
      const [asked] = committed;
      const [release] = released;
      assert.equal(release?.message.ciaddr, '192.168.2.77');
      assert.deepEqual(release?.message.options.get(61), asked?.message.options.get(61));
      assert.equal(release?.message.chaddr, asked?.message.chaddr);
    });
  }
});
