import type { AddDiagnoses } from '../doctor/add-diagnosis.ts';
import type { HostNetwork } from '../kernel/host-network.ts';
import type { openTimers } from '../kernel/timers.ts';
import type { LeaseManager } from '../lease/manager.ts';

type Warn = (fields: object, message: string) => void;

/** Why an ADD heard nobody, found out by the doctor, who is read from the disk when he is first asked for. */
export function diagnosesOf(
  host: HostNetwork,
  timers: ReturnType<typeof openTimers>,
  leases: () => Pick<LeaseManager, 'servers'>,
  warn: Warn,
) {
  const known = (uplink: string) =>
    leases()
      .servers()
      .find(({ lan }) => lan === uplink);
  let doctor: Promise<AddDiagnoses> | undefined;
  const open = async (): Promise<AddDiagnoses> => {
    const [{ AddDiagnoses: Doctor }, { probePorts }] = await Promise.all([
      import('../doctor/add-diagnosis.ts'),
      import('../kernel/probe-ports.ts'),
    ]);
    return new Doctor(probePorts(host.rtnl, timers), { known, warn });
  };
  return {
    /** As `PluginServices` has it. */
    diagnose: async (...pod: Parameters<AddDiagnoses['diagnose']>): Promise<string | undefined> => {
      doctor ??= open();
      return (await doctor).diagnose(...pod);
    },
    close: async (): Promise<void> => {
      await (await doctor)?.close();
    },
  };
}
