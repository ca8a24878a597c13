import { ipv4 } from '../../../src/base/ipv4.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { type Dhcp4Options, makeOptions, type OptionValues } from '../../../src/wire/dhcp4/options.ts';
import type { Random } from './random.ts';

const OPTION = { mask: 1, leaseTime: 51, serverId: 54 } as const;

function without(options: Dhcp4Options, code: number): Dhcp4Options {
  return new Map([...options].filter(([own]) => own !== code));
}

function withOptions(answer: Dhcp4Message, values: OptionValues): Dhcp4Message {
  return { ...answer, options: new Map([...answer.options, ...makeOptions(values)]) };
}

/** What servers get wrong, one thing at a time; now and then the answer is good. */
export function mangleOne(answer: Dhcp4Message, random: Random): readonly Dhcp4Message[] {
  const wrongs: readonly (() => readonly Dhcp4Message[])[] = [
    () => [answer],
    () => [answer, answer],
    () => [{ ...answer, xid: (answer.xid + 1) >>> 0 }],
    () => [withOptions(answer, { 'dhcp-server-identifier': ipv4('192.168.0.99') })],
    () => [{ ...answer, options: without(answer.options, OPTION.serverId) }],
    () => [{ ...answer, options: without(answer.options, OPTION.mask) }],
    () => [{ ...answer, options: new Map([...answer.options, [OPTION.leaseTime, Uint8Array.of(1, 2)]]) }],
    () => [withOptions(answer, { 'dhcp-lease-time': 0 })],
    () => [withOptions(answer, { 'dhcp-lease-time': 1 })],
    () => [withOptions(answer, { 'dhcp-renewal-time': 50, 'dhcp-rebinding-time': 10 })],
    () => [{ ...answer, options: new Map() }],
    () => [
      { ...answer, options: new Map([...answer.options, [OPTION.mask, Uint8Array.of(255, 0, 255, 0)]]) },
    ],
    () => [],
  ];
  return random.pick(wrongs)();
}
