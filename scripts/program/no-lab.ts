// Stands for src/lab/lab.ts in the bundle: the lab needs a shell, iproute2 and a DHCP server, which an image has not, and
// programs of the checkout beside it.
export function runLab(): Promise<number> {
  throw new Error('the lab is not in the installed program: run it from a checkout, with "make lab"');
}
