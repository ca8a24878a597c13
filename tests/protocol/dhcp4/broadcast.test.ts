import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OTHER_ADDRESS } from './messages.ts';
import { Transcript } from './transcript.ts';

describe('the broadcast bit', () => {
  test('never', () => {
    const t = new Transcript({ broadcast: 'never' }).start('> DISCOVER');
    assert.equal(t.sent.broadcast, false);
    t.wake(0.25, '> DISCOVER').wake(0.75, '> DISCOVER');
    assert.equal(t.sent.broadcast, false);
    t.hears(1, 'DHCPOFFER', {}, '> REQUEST').wake(1.25, '> REQUEST');
    assert.equal(t.sent.broadcast, false);
    t.stillWorks();
  });

  test('always, until there is an address', () => {
    const t = new Transcript({ broadcast: 'always' }, () => 0).start('> DISCOVER');
    assert.equal(t.sent.broadcast, true);
    t.hears(0, 'DHCPOFFER', {}, '> REQUEST');
    assert.equal(t.sent.broadcast, true);
    t.hears(0, 'DHCPACK', {}, 'install 192.168.1.50').wake(1800, '> REQUEST to 192.168.1.1');
    assert.equal(t.sent.broadcast, false, 'a renewal is answered to ciaddr (RFC 2131 4.1)');
  });

  test('auto: from the second try on', () => {
    const t = new Transcript().start('> DISCOVER');
    assert.equal(t.sent.broadcast, false);
    t.wake(0.25, '> DISCOVER');
    assert.equal(t.sent.broadcast, true);
  });

  test('auto: what it took to hear the OFFER is used for the REQUEST', () => {
    const t = new Transcript().start('> DISCOVER').wake(0.25, '> DISCOVER');
    t.hears(0.3, 'DHCPOFFER', {}, '> REQUEST');
    assert.equal(t.sent.broadcast, true);
    t.stillWorks();
  });

  test('auto: a quick OFFER leaves it off for the first REQUEST, not for the second', () => {
    const t = new Transcript().start('> DISCOVER').hears(0.1, 'DHCPOFFER', {}, '> REQUEST');
    assert.equal(t.sent.broadcast, false);
    t.wake(0.35, '> REQUEST');
    assert.equal(t.sent.broadcast, true);
  });

  test('auto: INIT-REBOOT, too', () => {
    const t = new Transcript().held(OTHER_ADDRESS).start('> REQUEST');
    assert.equal(t.sent.broadcast, false);
    t.wake(0.25, '> REQUEST');
    assert.equal(t.sent.broadcast, true);
  });
});
