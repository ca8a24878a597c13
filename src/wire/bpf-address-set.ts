import { invariant } from '../base/invariant.ts';
import { ipv4ToNumber, type Ipv4 } from '../base/ipv4.ts';
import { assemble, BPF, type BpfInstruction, ifAny, ifEqual, type Line } from './bpf-assembler.ts';

// A set of IPv4 addresses as a program of classic BPF, which has no memory but its own instructions: a binary search for
// the block of 32 addresses, and a word with a bit for each of them.

/** A block is as many addresses as a word has bits. */
const BLOCK_BITS = 5;
const IN_BLOCK = (1 << BLOCK_BITS) - 1;
/**
 * Blocks of a program, a power of two. The kernel charges the socket for the old and the new program together, eight bytes
 * for each instruction that it makes of ours, and lets it have 20 KiB (net.core.optmem_max before Linux 6.8).
 */
export const MOST_BLOCKS = 128;
/** Blocks that share the two ends of a program: conditional jumps reach over 255 instructions (struct sock_filter). */
const BLOCKS_IN_REACH = 32;

/** 32 neighbouring addresses: what their upper bits are, and which of them are meant. */
type Block = { readonly upper: number; readonly members: number };

/**
 * Begins with an address in X, and ends the program: accepted is what is in the set. That is exact as long as the addresses
 * lie in `MOST_BLOCKS` blocks, which a network of 4,096 does. Beyond, blocks are laid upon each other by the last bits of
 * their number, and addresses that are equal in their last twelve bits to one of the set are accepted, too. The size stays
 * bounded however many there are.
 */
export function ifInX(addresses: Iterable<Ipv4>): readonly BpfInstruction[] {
  const exact = blocksOf(addresses);
  const isFolded = exact.length > MOST_BLOCKS;
  const blocks = isFolded ? fold(exact) : exact;
  return [
    // M[0] is the address; X becomes the bit of its place in a block, A the number of the block.
    plain(BPF.MISC | BPF.TXA),
    plain(BPF.ST),
    alu(BPF.AND, IN_BLOCK),
    plain(BPF.MISC | BPF.TAX),
    plain(BPF.LD | BPF.IMM, 1),
    plain(BPF.ALU | BPF.LSH | BPF.X),
    plain(BPF.MISC | BPF.TAX),
    plain(BPF.LD | BPF.MEM),
    alu(BPF.RSH, BLOCK_BITS),
    ...(isFolded ? [alu(BPF.AND, MOST_BLOCKS - 1)] : []),
    ...search(blocks),
  ];
}

function plain(code: number, k = 0): BpfInstruction {
  return { code, jt: 0, jf: 0, k };
}

function alu(operation: number, k: number): BpfInstruction {
  return plain(BPF.ALU | operation | BPF.K, k);
}

function blocksOf(addresses: Iterable<Ipv4>): readonly Block[] {
  const members = new Map<number, number>();
  for (const address of addresses) {
    const number = ipv4ToNumber(address);
    const upper = number >>> BLOCK_BITS;
    members.set(upper, ((members.get(upper) ?? 0) | (1 << (number & IN_BLOCK))) >>> 0);
  }
  return sorted(members);
}

function fold(blocks: readonly Block[]): readonly Block[] {
  const folded = new Map<number, number>();
  for (const { upper, members } of blocks) {
    const place = upper & (MOST_BLOCKS - 1);
    folded.set(place, ((folded.get(place) ?? 0) | members) >>> 0);
  }
  return sorted(folded);
}

function sorted(members: ReadonlyMap<number, number>): readonly Block[] {
  return [...members]
    .map(([upper, bits]) => ({ upper, members: bits }))
    .sort((one, other) => one.upper - other.upper);
}

/** Parts with ends of their own, and between them jumps that reach any distance. */
function search(blocks: readonly Block[]): readonly BpfInstruction[] {
  if (blocks.length <= BLOCKS_IN_REACH) return assemble(searchNear(blocks));
  const [lower, upper] = halves(blocks);
  const below = search(lower);
  return [
    { code: BPF.JMP | BPF.JGE | BPF.K, jt: 0, jf: 1, k: firstOf(upper).upper },
    plain(BPF.JMP | BPF.JA, below.length),
    ...below,
    ...search(upper),
  ];
}

function searchNear(blocks: readonly Block[]): readonly Line[] {
  if (blocks.length === 0) return [{ code: BPF.JMP | BPF.JA, k: 1 }];
  if (blocks.length === 1) {
    const { upper, members } = firstOf(blocks);
    return [
      ifEqual(upper, 'next', 'refuse'),
      { code: BPF.MISC | BPF.TXA, k: 0 },
      ifAny(members, 'accept', 'refuse'),
    ];
  }
  const [lower, upper] = halves(blocks);
  const below = searchNear(lower);
  return [
    { code: BPF.JMP | BPF.JGE | BPF.K, k: firstOf(upper).upper, yes: below.length, no: 'next' },
    ...below,
    ...searchNear(upper),
  ];
}

function halves(blocks: readonly Block[]): readonly [readonly Block[], readonly Block[]] {
  const middle = blocks.length >> 1;
  return [blocks.slice(0, middle), blocks.slice(middle)];
}

function firstOf(blocks: readonly Block[]): Block {
  const [first] = blocks;
  invariant(first !== undefined, 'there is a block');
  return first;
}
