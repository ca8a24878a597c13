/**
 * Faults that are tested where their machinery is: row of docs/faults.md, file in tests/, and the name of the test
 * there.
 */
export const TESTED_ELSEWHERE: Readonly<Record<string, { readonly file: string; readonly test: string }>> = {
  'pool-full': {
    file: 'plugins/diagnosed-add.test.ts',
    test: 'the full pool is the cause, in the details, in the log and in the doctor, with when the server answered',
  },
  'lease-not-accepted': {
    file: 'plugins/requested-address.test.ts',
    test: 'three ADDs fail and say so, and the server has no lease: each was given back',
  },
  'offer-never-confirmed': {
    file: 'lease/server-notes.test.ts',
    test: 'one that offers and never confirms is named when its offer is given up, once in a while',
  },
  'domain-that-is-no-name': {
    file: 'protocol/dhcp4/lease.test.ts',
    test: 'a domain that is no DNS name is left out and said; the lease is taken',
  },
  suspend: {
    file: 'protocol/dhcp4/extend.test.ts',
    test: 'asleep past T1, T2 and the end (suspend): withdrawn at once',
  },
  'store-full': {
    file: 'daemon/store.test.ts',
    test: 'a full store: ADD gives its lease back, STATUS tells, leases go on',
  },
  'store-read-only': {
    file: 'daemon/store.test.ts',
    test: 'a read-only store: ADD gives its lease back, STATUS tells, leases go on',
  },
  'record-unreadable': {
    file: 'daemon/records.test.ts',
    test: 'what is no record is moved aside, each with its reason, the others are taken up',
  },
  'link-moved-before-del': {
    file: 'plugins/link-elsewhere.test.ts',
    test: 'moved to another namespace: it is not released while it is up there, and then it is',
  },
  'namespace-path-used-again': {
    file: 'plugins/link-elsewhere.test.ts',
    test: 'another namespace is at its path: its link is left alone, and nothing is released',
  },
  'server-moved-before-del': {
    file: 'plugins/release.test.ts',
    test: 'the router has another MAC address since the lease was given (a new one, or VRRP)',
  },
};
