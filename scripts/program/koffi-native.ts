// Stands for the package koffi in the bundle: its binary lies beside the bundle. What koffi's own JavaScript adds is the
// search for that file, and warnings for calls that we do not use.
import { createRequire } from 'node:module';

export default createRequire(import.meta.url)('./koffi.node') as unknown;
