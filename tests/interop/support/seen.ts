import type { Mac } from '../../../src/base/mac.ts';
import { messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import {
  DHCP4_OPTIONS,
  readOption,
  type OptionName,
  type OptionValue,
} from '../../../src/wire/dhcp4/options.ts';
import type { Captured } from '../../faults/support/capture.ts';

export type DhcpFrame = Extract<Captured, { readonly kind: 'dhcp' }>;

export function isDhcp(frame: Captured): frame is DhcpFrame {
  return frame.kind === 'dhcp';
}

/** What a server said to a client, in order. */
export function repliesTo(frames: readonly Captured[], client: Mac): readonly DhcpFrame[] {
  return frames.filter(isDhcp).filter(({ message }) => message.op === 'reply' && message.chaddr === client);
}

/** What a client said, in order. */
export function requestsOf(frames: readonly Captured[], client: Mac): readonly DhcpFrame[] {
  return frames.filter(isDhcp).filter(({ message }) => message.op === 'request' && message.chaddr === client);
}

/** Undefined where the option is not there or cannot be read. */
export function valueOf<N extends OptionName>({ message }: DhcpFrame, name: N): OptionValue<N> | undefined {
  const read = readOption(message.options, name);
  return read.kind === 'value' ? read.value : undefined;
}

export function bytesOf({ message }: DhcpFrame, name: OptionName): Uint8Array | undefined {
  return message.options.get(DHCP4_OPTIONS[name].code);
}

/** `DHCPOFFER`; a message without a type is none that a test expects. */
export function typeOf(frame: DhcpFrame): string {
  const type = valueOf(frame, 'dhcp-message-type');
  return type === undefined ? 'no type' : messageTypeName(type);
}

/** `DHCPOFFER` as people say it. */
export function shortType(frame: DhcpFrame): string {
  return typeOf(frame).replace(/^DHCP/, '');
}
