import type { Result } from '../../base/result.ts';
import { Attributes, decoding, type NetlinkProblem } from '../netlink/attributes.ts';
import { readBeU32 } from './attributes.ts';
import { nftAttributes } from './compare.ts';
import { NFTA_TABLE } from './message.ts';

// enum nft_table_attributes, enum nft_table_flags
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_USERDATA = 6;
const NFT_TABLE_F_DORMANT = 0x1;

/** A table as the kernel has it. */
export type SeenTable = {
  readonly name: string;
  /** Its chains are registered at no hook: it does nothing. */
  readonly dormant: boolean;
  /** Whatever was kept with it, as text; ours is a comment. */
  readonly comment: string;
};

/** Reads the payload of NFT_MSG_NEWTABLE. */
export function readTable(payload: Uint8Array): Result<SeenTable, NetlinkProblem> {
  return decoding(() => {
    const seen = new Attributes(nftAttributes(payload), 'NFT_MSG_NEWTABLE');
    const flags = readBeU32(seen.bytes(NFTA_TABLE_FLAGS)) ?? 0;
    return {
      name: seen.text(NFTA_TABLE) ?? '',
      dormant: (flags & NFT_TABLE_F_DORMANT) !== 0,
      comment: new TextDecoder().decode(seen.bytes(NFTA_TABLE_USERDATA)),
    };
  });
}
