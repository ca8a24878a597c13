// Fills 64 MB by malloc, frees all but the last, and gives them back: prints the process's own memory (KiB) full, freed and
// given back. A process of its own, so that nobody else has memory to free.
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { mallocTrimOffLoop } from '../../../src/kernel/ffi.ts';

// Small enough that glibc takes none of them from the kernel by itself (M_MMAP_THRESHOLD, 128 KiB).
const CHUNK = 32 << 10;
const CHUNKS = 2048;

const libc = koffi.load(null);
const malloc = libc.func('void *malloc(size_t)') as (size: number) => unknown;
const memset = libc.func('void *memset(void *, int, size_t)') as (
  to: unknown,
  byte: number,
  size: number,
) => unknown;
const free = libc.func('void free(void *)') as (chunk: unknown) => void;

function ownKib(): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

const chunks = Array.from({ length: CHUNKS }, () => malloc(CHUNK));
for (const chunk of chunks) memset(chunk, 1, CHUNK);
const full = ownKib();
// The last one keeps those before it from being trimmed as the end of the heap.
for (const chunk of chunks.slice(0, -1)) free(chunk);
const freed = ownKib();
await mallocTrimOffLoop();
console.log(JSON.stringify({ full, freed, givenBack: ownKib() }));
