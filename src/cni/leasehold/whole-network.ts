import { LIST_VERSIONS } from '../spec/versions.ts';

/** The network configuration list that says nothing of its node: one plugin with all its defaults, which are made for a home. */
export const WHOLE_NETWORK = { ...LIST_VERSIONS, name: 'lan', plugins: [{ type: 'leasehold' }] } as const;
