import { isMulticastMac, isZeroMac, type Mac, parseMac } from '../../base/mac.ts';
import { MAC_POLICIES, type MacPolicy } from '../identity/pod-mac.ts';
import { CniError, quoted } from '../spec/errors.ts';

/** The key `mac`: an address, or how one is made. Throws CniError 7 naming it as `at`. */
export function readMacKey(at: string, text: string): Mac | MacPolicy {
  const policy = MAC_POLICIES.find((known) => known === text);
  return policy ?? readMac(at, text, `, nor one of ${MAC_POLICIES.join(', ')}`);
}

/** An address that an interface can have. `nor` goes on with what else it could have been. Throws CniError 7. */
export function readMac(at: string, text: string, nor = ''): Mac {
  const mac = parseMac(text);
  if (mac === undefined) {
    throw invalid(
      `${at}: ${quoted(text)} is not an Ethernet address of six bytes ("02:00:5e:10:00:01")${nor}`,
    );
  }
  if (isMulticastMac(mac)) {
    throw invalid(`${at}: ${text} is a multicast address: the first byte must be even`);
  }
  if (isZeroMac(mac)) throw invalid(`${at}: ${text} is no interface's address`);
  return mac;
}

function invalid(text: string): CniError {
  return new CniError('invalid-config', text);
}
