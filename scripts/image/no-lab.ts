// Stands for src/lab/lab.ts in the bundle: the lab needs a shell, iproute2 and a DHCP server, which the image has not.
export function runLab(): Promise<number> {
  throw new Error('the lab is not in the image: run it from a checkout, with "make lab"');
}
