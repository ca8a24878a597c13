/** What a running pod may have lost of its lease, as the log says it. */
export const LOST = {
  address: 'the address of a running pod was gone and is put back',
  routes: 'the interface of a running pod was down and is up again: its routes are put back',
};

export type Lost = keyof typeof LOST;
