// Usage: node scripts/dist-tree.ts FOLDER. Makes FOLDER: the program with its own Node, and the licences of all parts.
import { dirname } from 'node:path';
import { copyTree, listTree } from '../src/install/tree.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: dist-tree.ts FOLDER');
copyTree(listTree(dirname(import.meta.dirname)), folder);
